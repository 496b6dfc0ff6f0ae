#!/bin/sh
# Makes web/vendor again from npm, to the same bytes: exact versions (vendor/package.json) with digests
# (vendor/package-lock.json), bundled by esbuild, compressed by libraries that do not depend on the version of Node.
# A build of mynah runs nothing of this; it includes the files that are committed.
#
# Usage: web/vendor.sh [--check]    --check compares with the committed files and changes nothing.
# Needs Node 20 or later and npm.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/out"
cp "$here/vendor/package.json" "$here/vendor/package-lock.json" "$here/vendor/icons.txt" "$work/"
cd "$work"
npm ci --ignore-scripts --no-audit --no-fund --silent

cat > preact.mjs <<'JS'
export { h, render, Fragment, createContext, Component } from 'preact';
export { useState, useEffect, useLayoutEffect, useMemo, useRef, useCallback, useContext, useId, useErrorBoundary } from 'preact/hooks';
import htm from 'htm';
import { h } from 'preact';
export const html = htm.bind(h);
JS
cat > codemirror.mjs <<'JS'
export { EditorState, Compartment } from '@codemirror/state';
export { EditorView, keymap, lineNumbers, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars,
  drawSelection, rectangularSelection, hoverTooltip, placeholder } from '@codemirror/view';
export { history, historyKeymap, defaultKeymap, indentWithTab, undo, redo } from '@codemirror/commands';
export { bracketMatching, foldGutter, foldKeymap, indentOnInput, syntaxHighlighting, HighlightStyle } from '@codemirror/language';
export { searchKeymap, highlightSelectionMatches, search } from '@codemirror/search';
export { autocompletion, completionKeymap, closeBrackets } from '@codemirror/autocomplete';
export { lintGutter, lintKeymap, setDiagnostics, openLintPanel, nextDiagnostic } from '@codemirror/lint';
export { yaml } from '@codemirror/lang-yaml';
export { json } from '@codemirror/lang-json';
export { tags } from '@lezer/highlight';
JS
bundle() {
  node_modules/.bin/esbuild "$1" --bundle --format=esm --minify --target=es2022 --legal-comments=eof --log-level=warning \
    --outfile="out/$2"
}
# Without its install script, esbuild finds its binary in the package of the platform.
bundle preact.mjs preact.js
bundle codemirror.mjs codemirror.js
bundle node_modules/uplot/dist/uPlot.esm.js uplot.js
cp node_modules/uplot/dist/uPlot.min.css out/uplot.css
cp node_modules/swagger-ui-dist/swagger-ui-bundle.js node_modules/swagger-ui-dist/swagger-ui.css out/
cp node_modules/@fontsource-variable/geist/files/geist-latin-wght-normal.woff2 out/geist.woff2
cp node_modules/@fontsource-variable/geist-mono/files/geist-mono-latin-wght-normal.woff2 out/geist-mono.woff2

# The licences of everything that is inside a bundle, in one file, which the pages link.
licence() {
  printf '%s\n%s %s\n%s\n\n' "$line" "$1" "$(node -p "require('./node_modules/$1/package.json').version")" "$line"
  for file in LICENSE LICENSE.md LICENSE.txt NOTICE swagger-ui-bundle.js.LICENSE.txt; do
    [ -f "node_modules/$1/$file" ] && { cat "node_modules/$1/$file"; echo; }
  done
  return 0
}
line=------------------------------------------------------------------------
for package in swagger-ui-dist preact htm uplot lucide-static @fontsource-variable/geist @fontsource-variable/geist-mono \
  @codemirror/autocomplete @codemirror/commands @codemirror/lang-json @codemirror/lang-yaml @codemirror/language \
  @codemirror/lint @codemirror/search @codemirror/state @codemirror/view @lezer/common @lezer/highlight @lezer/json \
  @lezer/lr @lezer/yaml @marijn/find-cluster-break crelt style-mod w3c-keyname; do
  licence "$package"
done > out/licences.txt

# Icons as data, [[tag, attributes], ...], so that no page parses markup; only those that icons.txt names. Then gzip and
# Brotli of every text; fonts are compressed already.
cat > pack.mjs <<'JS'
import { readFileSync, writeFileSync, readdirSync, rmSync } from 'node:fs';
import { gzip } from 'pako';
import { createRequire } from 'node:module';
const brotli = createRequire(process.cwd() + '/')('brotli-wasm');
const all = JSON.parse(readFileSync('node_modules/lucide-static/icon-nodes.json'));
const version = JSON.parse(readFileSync('node_modules/lucide-static/package.json')).version;
const icons = {};
for (const name of readFileSync('icons.txt', 'utf8').split(/\s+/).filter(Boolean).sort()) {
  if (!all[name]) throw new Error('Lucide has no icon ' + name);
  icons[name] = all[name];
}
writeFileSync('out/icons.js', `// Lucide ${version}, ISC licence\nexport default ${JSON.stringify(icons)};\n`);
for (const file of readdirSync('out').filter((name) => /\.(js|css)$/.test(name)).sort()) {
  const text = readFileSync('out/' + file);
  writeFileSync(`out/${file}.gz`, gzip(text, { level: 9 }));
  writeFileSync(`out/${file}.br`, brotli.compress(text, { quality: 11 }));
  rmSync('out/' + file);
}
JS
node pack.mjs
( cd out && find . -type f | LC_ALL=C sort | xargs sha256sum ) > SHA256SUMS
mv SHA256SUMS out/

if [ "${1:-}" = --check ]; then
  cmp out/SHA256SUMS "$here/vendor/SHA256SUMS" && ( cd "$here/vendor" && sha256sum --check --quiet SHA256SUMS )
  echo "web/vendor is what npm gives"
else
  find "$here/vendor" -type f ! -name package.json ! -name package-lock.json ! -name icons.txt -delete
  cp -r out/. "$here/vendor/"
fi
