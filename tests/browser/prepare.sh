# Finds the browser, and installs the packages of package-lock.json. Sourced by run and shoot, in their folder.
skip() {
  echo "SKIPPED: tests of the pages in a browser: $1" >&2
  [ -z "${REQUIRE_BROWSER:-}" ] || exit 1
  exit 0
}
for name in chromium chromium-browser google-chrome; do
  [ -n "${CHROMIUM:-}" ] || CHROMIUM=$(command -v "$name") || true
done
[ -n "${CHROMIUM:-}" ] || skip "Chromium is not installed (Debian: apt-get install chromium)"
export CHROMIUM
command -v npm >/dev/null || skip "npm is not installed"
node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || skip "Node.js 20 or later is needed"
if ! cmp -s package-lock.json node_modules/.package-lock.installed; then
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error || skip "npm cannot install playwright-core and axe-core"
  cp package-lock.json node_modules/.package-lock.installed
fi
