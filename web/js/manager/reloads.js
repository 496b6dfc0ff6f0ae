// The configuration in force: what was loaded and written, what was refused and why, what is in quarantine.
import { html, Icon, State, Diagnostic, classes, plural, useState, useAsync } from "../ui.js";
import { get } from "../client.js";
import { Diff } from "../diff.js";
import { WriteDialog } from "../write_dialog.js";

const time = (seconds) => new Date(seconds * 1000).toLocaleTimeString();

const Findings = ({ diagnostics }) =>
  diagnostics.map((diagnostic, index) => html`<${Diagnostic} key=${index} diagnostic=${diagnostic} />`);

/** Diagnostics of a refused configuration. */
function Refusal({ error }) {
  return html`<section class="card"><header><span class="err-ink"><${Icon} name="octagon-x" label="refused" /></span>
      <h2>Refused at ${time(error.at)}: ${plural(error.diagnostics.length, "finding")}</h2></header>
    <div class="pad"><${Findings} diagnostics=${error.diagnostics} /></div></section>`;
}

const CAUSES = {
  start: ["power", "Started"],
  file: ["file-code", "File saved"],
  signal: ["refresh-cw", "Signal"],
  admin: ["pencil", "Written by the Admin API"],
  post_config: ["upload", "Loaded by /config"],
};

/** What a load or write has changed. */
function ChangeDetail({ number }) {
  const { value, error } = useAsync(() => get(`/mynah/changes/${number}`), [number]);
  if (error) return html`<p class="muted">${error.status === 404 ? "This change is no longer kept." : error.message}</p>`;
  if (!value) return html`<p><i class="skel"></i></p>`;
  return html`<div class="stack">${value.diff ? html`<${Diff} lines=${value.diff} isTruncated=${value.truncated} label=${`Diff of change ${number}`} />` : html`<p class="muted">Its diff is no longer kept.</p>`}
    ${value.diagnostics?.length > 0 && html`<div><${Findings} diagnostics=${value.diagnostics} /></div>`}</div>`;
}

function Change({ change, isNewest, undo, onUndo }) {
  const [isOpen, setOpen] = useState(false);
  const isRefused = change.outcome === "refused";
  const [icon, word] = change.undoes ? ["undo-2", `Change ${change.undoes} undone`] : CAUSES[change.cause] || ["circle", change.cause];
  const counts = [change.errors && plural(change.errors, "error"), change.warnings && plural(change.warnings, "warning")].filter(Boolean);
  return html`<li class=${classes(isRefused && "bad", isNewest && !isRefused && "now")}><span class="knot"><${Icon} name=${isRefused ? "octagon-x" : icon} size=${14} /></span>
    <div><div class="line"><b>${isRefused ? `${word}, refused` : word}</b><span class="faint">version ${change.generation}${isRefused ? " serves on" : ""}</span>
        <time datetime=${new Date(change.at * 1000).toISOString()}>${new Date(change.at * 1000).toLocaleString()}</time><span class="faint small">${change.duration_ms < 10 ? change.duration_ms.toFixed(1) : Math.round(change.duration_ms)} ms</span>
        ${counts.length > 0 && html`<span class=${change.errors ? "err-ink small" : "warn-ink small"}>${counts.join(", ")}</span>`}</div>
      <p class="muted small wraps">${change.summary || "No entity has changed."}</p>
      <div class="row wrap"><button class="btn quiet sm" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}><${Icon} name=${isOpen ? "chevron-down" : "chevron-right"} size=${14} />What changed<span class="sr"> in change ${change.number}</span></button>
        ${undo === change.number && html`<button class="btn sm write" onClick=${onUndo}><${Icon} name="undo-2" size=${14} />Undo</button>`}</div>
      ${isOpen && html`<${ChangeDetail} number=${change.number} />`}</div></li>`;
}

/** The last loads and writes, the newest first. */
function History({ config, about }) {
  const { value, error, reload } = useAsync(() => get("/mynah/changes"), [config.generation, config.loads, config.failures]);
  const [isUndoing, setUndoing] = useState(false);
  const changes = value?.data || [];
  return html`<section class="card"><header><h2>History</h2><span class="small faint">since the gateway was started, at most 50</span></header>
    ${error && html`<p class="pad muted">${error.message}</p>`}
    <ol class="timeline pad">${changes.map((change, index) => html`<${Change} key=${change.number} change=${change} isNewest=${index === 0}
      undo=${about.writes ? value.undo : null} onUndo=${() => setUndoing(true)} />`)}</ol>
    ${isUndoing && html`<${WriteDialog} title=${`Undo change ${value.undo}`} method="POST" path="/mynah/undo" done="Undone." isUndo
      onClose=${() => setUndoing(false)} onDone=${() => { setUndoing(false); reload(); }} />`}</section>`;
}

export function Reloads({ status, about }) {
  const config = status?.configuration;
  if (!config) return html`<div class="head"><h1>Reloads</h1></div>`;
  const quarantined = config.quarantined || [];
  return html`<div class="head"><div><h1>Reloads</h1>
      <p>Every save of <code>${config.source}</code> and of its documents is taken as a whole, or refused as a whole.</p></div></div>
    <div class="stack">${config.last_error && html`<div class="note warn"><${Icon} name="info" /><div><b>Nothing is down.</b>${" "}
      Version ${config.generation}, loaded at ${time(config.loaded_at)}, keeps serving until the file is in order.</div></div>
      <${Refusal} error=${config.last_error} />`}
    <div class="two even"><section class="card"><header><h2>In force</h2>${!config.last_error && html`<${State} kind="ok">As the file</${State}>`}</header>
        <dl class="kv pad"><dt>Version</dt><dd>${config.generation}</dd><dt>Loaded</dt><dd>${new Date(config.loaded_at * 1000).toLocaleString()}</dd>
          <dt>Source</dt><dd class="mono">${config.source}</dd><dt>Loads</dt><dd>${config.loads} taken, ${config.failures} refused</dd>
          ${config.file?.replaced && html`<dt>File</dt><dd>${config.file.replaced}</dd>`}</dl></section>
      <section class="card"><header><h2>Quarantine</h2>${quarantined.length > 0 && html`<${State} kind="quar">${quarantined.length}</${State}>`}</header>
        ${quarantined.length
          ? html`<ul class="feed">${quarantined.map((entity) => html`<li key=${entity.path}><span class="warn-ink"><${Icon} name="shield-alert" label="in quarantine" /></span>
            <div><b>${entity.entity} ${entity.name}</b> <span class="muted">${entity.reason}</span><p class="small muted">${entity.effect}</p></div>
            <span class="t mono">${entity.file}:${entity.line}</span></li>`)}</ul>`
          : html`<p class="pad muted">Nothing is in quarantine.</p>`}</section></div>
    <${History} config=${config} about=${about} /></div>`;
}
