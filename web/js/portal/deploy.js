// Deploy: a document is dropped, pasted or written, checked as it is typed, saved, and mocked if nothing serves it.
import { html, Icon, State, Method, Failure, classes, plural, toast, useState, useEffect, useRef, useAsync } from "../ui.js";
import { get, post, write } from "../client.js";
import { Editor } from "../editor.js";
import { WriteDialog } from "../write_dialog.js";

/** Pause after the last key before the text is checked. */
const CHECK_DELAY_MS = 180;
/** Largest document that the linter takes. */
const MOST_BYTES = 10 * 1024 * 1024;

const filePath = (name) => `/files/specs/${name.split("/").map(encodeURIComponent).join("/")}`;

const isName = (name) => /^[^/\\\s][^\\]*\.(ya?ml|json)$/i.test(name) && !name.split("/").includes("..");

/** The saved text of a document, or null if there is none. */
const readSaved = (name) =>
  get(filePath(name)).then(({ contents }) => contents, (error) => {
    if (error.status === 404) return null;
    throw error;
  });

/** Findings and summary of a text, a while after the last change. */
function useFindings(text, name) {
  const [findings, setFindings] = useState({ diagnostics: [] });
  const [isChecking, setChecking] = useState(false);
  useEffect(() => {
    if (!text.trim()) return setFindings({ diagnostics: [] });
    let isCurrent = true;
    setChecking(true);
    const timer = setTimeout(() => {
      const show = (result) => {
        if (!isCurrent) return;
        setFindings(result);
        setChecking(false);
      };
      post(`/mynah/lint?path=${encodeURIComponent(name)}`, text).then(show, (error) => show({ diagnostics: [], error }));
    }, CHECK_DELAY_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [text, name]);
  return { ...findings, isChecking };
}

/** A message with the parts between backticks as code. */
const withCode = (text) => text.split("`").map((part, index) => (index % 2 ? html`<code>${part}</code>` : part));

function Findings({ diagnostics, hasText }) {
  return html`<section class="card"><header><h2>What the linter says</h2></header>${diagnostics.length
    ? html`<ul class="findings" tabindex="0" aria-label="Findings">${diagnostics.map(({ severity, message, help, line, column }, index) => html`<li class=${severity} key=${index}>
        <${Icon} name=${severity === "error" ? "octagon-x" : "triangle-alert"} label=${severity} />
        <div><p>${withCode(message)}</p>${help && html`<p class="small muted">${withCode(help)}</p>`}<p class="small faint mono">line ${line}, column ${column}</p></div></li>`)}</ul>`
    : html`<p class="pad muted">${hasText ? "Nothing to object to." : "Findings stand here as you type."}</p>`}</section>`;
}

export function Deploy({ name: givenName, about, onNamed }) {
  const saved = useAsync(() => (givenName ? readSaved(givenName) : Promise.resolve(null)), [givenName]);
  const [name, setName] = useState(givenName || "");
  const [text, setText] = useState("");
  const [revision, setRevision] = useState(0);
  const replaceText = (content) => {
    setText(content);
    setRevision((number) => number + 1);
  };
  const [isOver, setOver] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const [mocking, setMocking] = useState(null);
  const mocksAtOnce = useRef(true);
  useEffect(() => {
    if (saved.value) replaceText(saved.value);
  }, [saved.value]);
  const { diagnostics, summary, isChecking, error: lintError } = useFindings(text, name || "new.yaml");
  const errors = diagnostics.filter(({ severity }) => severity === "error").length;
  const warnings = diagnostics.length - errors;
  const operations = summary?.operations || [];
  const take = async (file) => {
    if (!file) return;
    if (file.size > MOST_BYTES) return setError(new Error(`${file.name} is larger than 10 MiB`));
    setError(null);
    setName(file.name);
    replaceText(await file.text());
  };
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    take(event.dataTransfer.files[0]);
  };
  const deploy = async () => {
    setBusy(true);
    setError(null);
    try {
      const before = await readSaved(name);
      await write("PUT", filePath(name), { contents: text });
      const restore = () =>
        (before === null ? write("DELETE", filePath(name)) : write("PUT", filePath(name), { contents: before })).then(
          () => toast(`${name} is as before.`),
          (failure) => toast(failure.message),
        );
      toast(before === null ? `${name} is saved.` : `${name} is replaced.`, ["Undo", restore]);
      const { data } = await get("/mynah/apis");
      const api = data.find(({ document }) => document === name);
      const isServed = api?.operations.some(({ state }) => state !== "none");
      if (mocksAtOnce.current && api && !isServed && api.operations.length) setMocking(api);
      else if (api?.is_readable) location.hash = `/api?id=${encodeURIComponent(api.id)}`;
      else onNamed(name);
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  const open = (id) => {
    location.hash = `/api?id=${encodeURIComponent(id)}`;
  };
  const hasName = isName(name);
  const canDeploy = about.writes && hasName && text.trim() && !isBusy;
  return html`<div class="head"><div><p class="crumb"><a href="#/">APIs</a><${Icon} name="chevron-right" size=${14} /><span>Deploy</span></p>
      <h1>${givenName ? `Edit ${givenName}` : "Deploy a document"}</h1></div></div>
    ${saved.error && html`<${Failure} error=${saved.error} retry=${saved.reload} />`}
    ${!about.writes && html`<div class="note warn"><${Icon} name="lock" /><div><b>Nothing can be saved here.</b> This portal is for readers, or the configuration is read-only. The linter works all the same.</div></div>`}
    <div class=${classes("deploy", isOver && "over")} onDragOver=${(event) => { event.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)} onDrop=${drop}>
      <section class="card edit" aria-label="Document">
        <header><label class="row grow"><span class="faint mono wide-only">specs/</span><input class="input mono filename" aria-label="File name" placeholder="name.yaml" value=${name}
            aria-invalid=${name && !hasName ? "true" : undefined} onInput=${(event) => setName(event.target.value.trim())} /></label>
          <label class="btn sm filepick"><${Icon} name="folder-open" size=${14} />Open a file<input type="file" class="sr" accept=".yaml,.yml,.json" onChange=${(event) => take(event.target.files[0])} /></label></header>
        ${!text && html`<div class="hintover"><${Icon} name="upload" size=${28} /><b>Drop a document here, paste it, or just write</b><span class="muted">OpenAPI 3.1, 3.0, Swagger 2.0; YAML or JSON</span></div>`}
        <div class="edbox"><${Editor} value=${text} revision=${revision} onChange=${setText} diagnostics=${diagnostics} label="Text of the document" language=${/\.json$/i.test(name) ? "json" : "yaml"} /></div>
        <div class="foot" role="status">${isChecking && !diagnostics.length
          ? html`<${Icon} name="hourglass" size=${14} />Checking…`
          : diagnostics.length
            ? html`${errors > 0 && html`<${State} kind="err">${plural(errors, "error")}</${State}>`}${warnings > 0 && html`<${State} kind="warn">${plural(warnings, "warning")}</${State}>`}`
            : text.trim() ? html`<${State} kind="ok">No finding</${State}>` : "Nothing written yet"}
          <span class="grow"></span><span class="wide-only">${plural(text ? text.split("\n").length : 0, "line")}</span></div>
      </section>
      <aside class="stack" aria-label="About the document">
        <${Findings} diagnostics=${diagnostics} hasText=${!!text.trim()} />
        <section class="card"><header><h2>What it has</h2>${summary?.format && html`<span class="tag">${summary.format}</span>`}</header><div class="pad stack">
          ${lintError && html`<p class="fielderr">${lintError.message}</p>`}
          ${operations.length
            ? html`<ul class="oplines">${operations.slice(0, 12).map(({ method, path, has_example: hasExample }) => html`<li key=${method + path}><${Method} name=${method} /><code class="cut">${path}</code>
                ${hasExample && html`<span class="faint small nowrap">example</span>`}</li>`)}${operations.length > 12 && html`<li class="faint small">and ${operations.length - 12} further ones</li>`}</ul>`
            : html`<p class="muted">No operation yet.</p>`}
          ${about.writes && html`<label class="row"><input type="checkbox" checked=${mocksAtOnce.current} onChange=${(event) => { mocksAtOnce.current = event.target.checked; }} /><span>Mock it, if nothing serves it yet</span></label>
          ${error && html`<div class="note err" role="alert"><${Icon} name="octagon-x" /><div>${error.message}</div></div>`}
          ${name && !hasName && html`<p class="fielderr"><${Icon} name="octagon-x" size=${14} />The name of a document ends with .yaml, .yml or .json.</p>`}
          <div class="row wrap"><button class="btn primary grow write" disabled=${!canDeploy || errors > 0} onClick=${deploy}><${Icon} name="upload" />Deploy</button></div>
          ${errors > 0 && html`<p class="small muted">${errors === 1 ? "An error is" : `${errors} errors are`} in the way: a mock would have no answer there.
            ${" "}<button class="linkish" disabled=${!canDeploy} onClick=${deploy}>Deploy all the same</button></p>`}`}
        </div></section>
      </aside></div>
    ${mocking && html`<${WriteDialog} title=${`Mock ${mocking.title}`} method="POST" path="/mynah/mock" value=${{ document: name }} done=${`${mocking.title} answers now.`}
      onClose=${() => { setMocking(null); open(mocking.id); }} onDone=${() => open(mocking.id)} onUndone=${() => {}} />`}`;
}
