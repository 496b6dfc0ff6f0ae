// The configuration in force: what was loaded, what was refused and why, what is in quarantine.
import { html, Icon, State, Diagnostic, plural } from "../ui.js";

const time = (seconds) => new Date(seconds * 1000).toLocaleTimeString();

/** Diagnostics of a refused configuration. */
function Refusal({ error }) {
  return html`<section class="card"><header><span class="err-ink"><${Icon} name="octagon-x" label="refused" /></span>
      <h2>Refused at ${time(error.at)}: ${plural(error.diagnostics.length, "finding")}</h2></header>
    <div class="pad">${error.diagnostics.map((diagnostic, index) => html`<${Diagnostic} key=${index} diagnostic=${diagnostic} />`)}</div></section>`;
}

export function Reloads({ status }) {
  const config = status?.configuration;
  if (!config) return html`<div class="head"><h1>Reloads</h1></div>`;
  const quarantined = config.quarantined || [];
  return html`<div class="head"><div><h1>Reloads</h1>
      <p>Every save of <code>${config.source}</code> and of its documents is taken as a whole, or refused as a whole.</p></div></div>
    ${config.last_error && html`<div class="note warn"><${Icon} name="info" /><div><b>Nothing is down.</b>
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
          : html`<p class="pad muted">Nothing is in quarantine.</p>`}</section></div>`;
}
