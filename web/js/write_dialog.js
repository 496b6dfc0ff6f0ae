// A write: first its diff, then the file, then a way back.
import { html, Icon, Dialog, toast, useState, useAsync } from "./ui.js";
import { write } from "./client.js";
import { Diff } from "./diff.js";

const dryRun = (path) => path + (path.includes("?") ? "&" : "?") + "dry_run=true";

/** Takes the last write of the Admin API back, if nothing came in between. */
export async function undoWrite(onDone) {
  try {
    const { summary } = await write("POST", "/mynah/undo");
    toast(`Undone: ${summary}`);
    onDone?.();
  } catch (failure) {
    toast(`This cannot be undone: ${failure.message}`);
  }
}

/** What a refusal says, field by field. */
export function Refusal({ error }) {
  const fields = Object.entries(error.fields || {}).filter(([name]) => !name.startsWith("@")).flatMap(([name, text]) => [text].flat().map((message) => [name, message]));
  return html`<div class="note err" role="alert"><${Icon} name="octagon-x" /><div><b>This cannot be written.</b> ${error.message}${fields.map(([name, message]) => html`
    <p><code>${name}</code> ${typeof message === "string" ? message : JSON.stringify(message)}</p>`)}</div></div>`;
}

/**
 * Shows what a write changes in the file, and makes it when it is confirmed. `onDone` gets the answer; `undone` is called
 * after an undo; `done` is the text of the toast.
 */
export function WriteDialog({ title, method, path, value, done, isUndo, onClose, onDone, onUndone, children }) {
  const { value: plan, error: refusal } = useAsync(() => write(method, dryRun(path), value), []);
  const [failure, setFailure] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const apply = async () => {
    setBusy(true);
    try {
      const answer = await write(method, path, value);
      toast(done, isUndo ? undefined : ["Undo", () => undoWrite(onUndone || (() => onDone(answer)))]);
      onDone(answer);
    } catch (error) {
      setFailure(error);
      setBusy(false);
    }
  };
  const error = failure || refusal;
  const removes = method === "DELETE";
  return html`<${Dialog} title=${title} onClose=${onClose} subtitle="This is what changes. Comments and everything else in the configuration stay as they are."
    footer=${html`<span class="row small faint grow">${!plan ? null : isUndo ? "An undo cannot be undone." : html`<${Icon} name="undo-2" size=${14} />You can undo this afterwards.`}</span>
      <button class="btn" onClick=${onClose}>Cancel</button>
      <button class=${removes ? "btn danger" : "btn primary"} autofocus disabled=${isBusy || !plan} onClick=${apply}>
        <${Icon} name=${removes ? "trash" : "save"} />Write the configuration</button>`}>
    <div class="stack">${error && html`<${Refusal} error=${error} />`}${children}
      ${plan ? html`<${Diff} lines=${plan.diff} isTruncated=${plan.truncated} />` : !error && html`<div class="diff" aria-hidden="true"><div class="l"><span></span><span></span><b></b><code><i class="skel"></i></code></div></div>`}</div></${Dialog}>`;
}
