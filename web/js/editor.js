// CodeMirror in a shadow root: its styles are adopted style sheets there, which the policy of the page allows.
import { h, useRef, useEffect, useState } from "./ui.js";

let loading;

/** Loads the editor when the first one is drawn. */
const load = () => (loading ||= import("../vendor/codemirror.js").then((cm) => ({ cm, looks: looksOf(cm) })));

function looksOf(cm) {
  const colours = cm.HighlightStyle.define([
    { tag: [cm.tags.propertyName, cm.tags.definition(cm.tags.propertyName), cm.tags.keyword], color: "var(--code-key)" },
    { tag: [cm.tags.string, cm.tags.content, cm.tags.special(cm.tags.string)], color: "var(--code-str)" },
    { tag: [cm.tags.number, cm.tags.bool, cm.tags.null, cm.tags.atom], color: "var(--code-num)" },
    { tag: [cm.tags.comment, cm.tags.meta], color: "var(--code-com)" },
    { tag: [cm.tags.punctuation, cm.tags.separator, cm.tags.bracket], color: "var(--ink-3)" },
  ]);
  const theme = cm.EditorView.theme({
    "&": { height: "100%", fontSize: "12.5px", color: "var(--ink)", backgroundColor: "var(--surface)" },
    "&.cm-focused": { outline: "none" },
    ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "20px" },
    ".cm-content": { padding: "8px 0", caretColor: "var(--ink)" },
    ".cm-cursor": { borderLeftColor: "var(--ink)" },
    ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--ink-3)", border: "0", paddingRight: "4px" },
    ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--hover) 55%, transparent)" },
    ".cm-activeLineGutter": { color: "var(--ink)" },
    ".cm-lineNumbers .cm-gutterElement": { padding: "0 6px 0 12px", minWidth: "34px" },
    "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "var(--selected)" },
    ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--err)", textDecorationSkipInk: "none", textUnderlineOffset: "3px" },
    ".cm-lintRange-warning": { backgroundImage: "none", textDecoration: "underline wavy var(--warn)", textDecorationSkipInk: "none", textUnderlineOffset: "3px" },
    ".cm-lint-marker": { width: "10px", height: "10px", marginTop: "5px" },
    ".cm-lint-marker-error": { content: "none", borderRadius: "2px", background: "var(--err)" },
    ".cm-lint-marker-warning": { content: "none", background: "var(--warn)", clipPath: "polygon(50% 0,100% 100%,0 100%)" },
    ".cm-gutter-lint": { width: "16px" },
    ".cm-tooltip": { backgroundColor: "var(--raised)", border: "1px solid var(--line)", borderRadius: "6px", boxShadow: "var(--lift)", color: "var(--ink)", fontFamily: "var(--sans)", fontSize: "13px", maxWidth: "420px" },
    ".cm-diagnostic": { padding: "6px 10px" },
    ".cm-diagnostic-error": { borderLeft: "3px solid var(--err)" },
    ".cm-diagnostic-warning": { borderLeft: "3px solid var(--warn)" },
    ".cm-foldGutter .cm-gutterElement": { color: "var(--ink-3)" },
    ".cm-panels": { backgroundColor: "var(--sunken)", color: "var(--ink)", borderColor: "var(--line)" },
  });
  return [cm.syntaxHighlighting(colours), theme];
}

/** The places of diagnostics in a text, for the editor. */
function marksOf(state, diagnostics) {
  return diagnostics
    .filter(({ line }) => line >= 1 && line <= state.doc.lines)
    .map(({ line, column, length, severity, message, help }) => {
      const { from: start, to: end, text } = state.doc.line(line);
      const from = Math.min(start + Math.max(0, column - 1), end);
      const word = /^[^\s:,\]}]+/.exec(text.slice(column - 1));
      const to = Math.min(from + (length || word?.[0].length || 1), end);
      return { from, to, severity, message: message + (help ? ` (${help})` : "") };
    });
}

/**
 * An editor of a text in `language` (`yaml`, `json`), with diagnostics underlined. The text is the editor's own; `value`
 * replaces it when `revision` changes.
 */
export function Editor({ value, revision, onChange, language = "yaml", diagnostics = [], label }) {
  const host = useRef();
  const view = useRef();
  const changed = useRef();
  changed.current = onChange;
  const [loaded, setLoaded] = useState(null);
  useEffect(() => {
    load().then(setLoaded);
  }, []);
  useEffect(() => {
    if (!loaded) return undefined;
    const { cm, looks } = loaded;
    const root = host.current.shadowRoot || host.current.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(":host{display:block;height:100%;min-height:0}.in{height:100%}:focus-visible{outline:none}");
    root.adoptedStyleSheets = [sheet];
    const box = document.createElement("div");
    box.className = "in";
    root.replaceChildren(box);
    const extensions = [
      cm.lineNumbers(), cm.lintGutter(), cm.foldGutter({ openText: "⌄", closedText: "›" }), cm.history(), cm.drawSelection(),
      cm.indentOnInput(), cm.bracketMatching(), cm.highlightActiveLine(), cm.highlightActiveLineGutter(), looks,
      language === "json" ? cm.json() : cm.yaml(),
      // Tab moves the focus, as everywhere in a page.
      cm.keymap.of([...cm.defaultKeymap, ...cm.historyKeymap, ...cm.searchKeymap, ...cm.foldKeymap, ...cm.lintKeymap]),
      cm.EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
      cm.EditorView.updateListener.of((update) => update.docChanged && changed.current(update.state.doc.toString())),
    ];
    view.current = new cm.EditorView({ root, parent: box, state: cm.EditorState.create({ doc: value, extensions }) });
    return () => {
      view.current.destroy();
      view.current = null;
    };
  }, [language, loaded]);
  useEffect(() => {
    const state = view.current?.state;
    if (state && state.doc.toString() !== value) view.current.dispatch({ changes: { from: 0, to: state.doc.length, insert: value } });
  }, [revision, loaded]);
  useEffect(() => {
    if (view.current) view.current.dispatch(loaded.cm.setDiagnostics(view.current.state, marksOf(view.current.state, diagnostics)));
  }, [diagnostics, loaded, language]);
  return h("div", { class: "cmhost", ref: host });
}
