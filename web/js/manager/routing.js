// Routing: which route takes a request, which others match, and what the upstream would get.
import { html, Icon, State, Method, CopyButton, Failure, classes, useState, useEffect } from "../ui.js";
import { get } from "../client.js";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/** The boxes of a request's way, in order. */
function Way({ method, explanation }) {
  const winner = explanation.routes[0];
  const { upstream, answer } = explanation;
  const isMocked = answer?.plugin === "mocking";
  const target = explanation.request.split(" ").slice(1).join(" ");
  const end = answer
    ? html`<h3><${Icon} name=${isMocked ? "bird" : "circle-slash"} size=${14} />Answer</h3><p class="big">${answer.status}</p>
        <p class="small muted">${answer.reason}</p>${answer.plugin && html`<p class="small muted">by the plugin <code>${answer.plugin}</code>; the service is not asked</p>`}`
    : html`<h3><${Icon} name="server" size=${14} />Upstream</h3><p class="big mono">${upstream?.request || "none"}</p>`;
  return html`<section class="card"><header><h2>What would happen</h2>
      <${State} kind=${isMocked ? "mock" : answer ? "off" : "live"}>${answer && !isMocked ? "Answered by the gateway" : undefined}</${State}>
      <${CopyButton} label="Copy as JSON" text=${() => JSON.stringify(explanation, null, 2)} /></header>
    <ol class="flow">
      <li><h3><${Icon} name="corner-down-right" size=${14} />Request</h3><p class="big mono"><${Method} name=${method} /> ${target}</p></li>
      <li><h3><${Icon} name="route" size=${14} />Route</h3>${winner
        ? html`<p class="big">${winner.route}</p>${winner.matched && html`<p class="small muted">matched <code>${winner.matched}</code></p>`}`
        : html`<p class="big">none</p>`}</li>
      <li><h3><${Icon} name="puzzle" size=${14} />Plugins, in order</h3>${explanation.plugins.map((plugin) => html`
        <p class=${classes("pl", plugin.name === "mocking" && "ends")} key=${plugin.name}>${plugin.name === "mocking" && html`<${Icon} name="bird" size=${14} />`}
          <span>${plugin.name}</span><span class="n">${plugin.priority}</span></p>`)}${!explanation.plugins.length && html`<p class="muted">none</p>`}</li>
      <li>${end}</li>
    </ol></section>`;
}

function Candidates({ routes }) {
  return html`<section class="card"><header><h2>Routes that match</h2><span class="small faint">the first one takes the request</span></header>
    <div class="tablewrap" tabindex="0" role="region" aria-label="Routes that match"><table class="losers cards">
      <thead><tr><th scope="col">Place</th><th scope="col">Route</th><th scope="col">Matched</th><th scope="col">Why not</th></tr></thead>
      <tbody>${routes.map((route, index) => html`<tr data-row class=${index ? "" : "won"} key=${route.route}>
        <td><span class="rank">${index + 1}</span></td><td class="first"><b>${route.route}</b></td>
        <td>${route.matched ? html`<code>${route.matched}</code>` : html`<span class="faint">no path</span>`}</td>
        <td class="why muted second">${index ? route.lost || "it was created earlier" : html`<${State} kind="ok">Takes it</${State}>`}</td></tr>`)}</tbody>
    </table></div></section>`;
}

export function Routing({ query, about }) {
  const [method, setMethod] = useState(query.get("method") || "GET");
  const [url, setUrl] = useState(query.get("url") || `${about.proxy[0] || "http://localhost:8000"}/`);
  const [headers, setHeaders] = useState("");
  const [result, setResult] = useState({});
  const explain = async (event) => {
    event?.preventDefault();
    const parameters = new URLSearchParams({ method, url });
    headers.split("\n").filter((line) => line.includes(":")).forEach((line) => parameters.append("header", line));
    try {
      setResult({ explanation: await get(`/debug/explain?${parameters}`), method });
    } catch (error) {
      setResult({ error });
    }
  };
  useEffect(() => {
    explain();
  }, []);
  const { explanation, error } = result;
  return html`<div class="head"><div><h1>Routing</h1><p>Which route takes a request, and why. Nothing is sent.</p></div></div>
    <section class="card"><form class="ask" onSubmit=${explain}>
      <select class="input mono" aria-label="Method" value=${method} onChange=${(event) => setMethod(event.target.value)}>${METHODS.map((name) => html`<option key=${name}>${name}</option>`)}</select>
      <input class="input mono" aria-label="URL" value=${url} spellcheck="false" aria-invalid=${error ? "true" : undefined} onInput=${(event) => setUrl(event.target.value)} />
      <button class="btn primary"><${Icon} name="waypoints" />Explain</button>
      <details class="hdrs"><summary class="small muted">With headers</summary>
        <textarea class="input mono" rows="2" aria-label="Headers, one per line" placeholder="x-version: 2" value=${headers}
          onInput=${(event) => setHeaders(event.target.value)}></textarea></details>
      ${error && html`<p class="fielderr hdrs" role="alert"><${Icon} name="octagon-x" size=${14} />${error.message}</p>`}</form></section>
    ${explanation && html`<${Way} method=${result.method} explanation=${explanation} />
      ${explanation.routes.length
        ? html`<div class="two"><${Candidates} routes=${explanation.routes} />
          <section class="card"><header><h2>What the upstream would get</h2></header>${explanation.upstream
            ? html`<dl class="kv pad mono small">${explanation.upstream.headers.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`
            : html`<p class="pad muted">Nothing: the gateway answers itself.</p>`}</section></div>`
        : html`<div class="empty"><${Icon} name="route" size=${28} /><h2>No route takes this request</h2></div>`}`}`;
}
