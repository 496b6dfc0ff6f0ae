// One exchange in detail: its way through the gateway in time, its heads, and what can be done with it.
import { html, Icon, State, CopyButton, Failure, classes, toast, useAsync } from "../ui.js";
import { get } from "../client.js";
import { formatMilliseconds } from "./traffic_charts.js";

/** State and word of who has answered. */
export const ANSWERED_BY = { mock: ["mock", "Mocked"], upstream: ["live", "Live"], gateway: ["off", "Gateway"] };

export const Status = ({ code }) => html`<span class=${classes("st", "s" + String(code)[0])}>${code}</span>`;

/** Phases in their order: `[text, start, length, class]`, in milliseconds. */
function phasesOf(exchange) {
  const { duration_ms: whole, head_latency_ms: head, upstream, kind } = exchange;
  const gateway = upstream?.gateway_latency_ms ?? 0;
  const wait = kind === "upstream" ? upstream?.upstream_latency_ms ?? 0 : 0;
  const body = Math.max(0, whole - head - gateway - wait);
  const phases = [["Head of the request", head, "a"], ["Gateway", gateway, "b"], ["Upstream", wait, "c"], [kind === "mock" ? "Mock" : "Answer sent", body, kind === "mock" ? "c mock" : "d"]];
  let start = 0;
  return phases.filter(([, length]) => length > 0).map(([text, length, kindOfBar]) => {
    const phase = [text, start, length, kindOfBar];
    start += length;
    return phase;
  });
}

function Phases({ exchange }) {
  const phases = phasesOf(exchange);
  const whole = Math.max(exchange.duration_ms, phases.reduce((sum, [, , length]) => sum + length, 0)) || 1;
  return html`<div class="wf" role="group" aria-label="Phases">${phases.map(([text, start, length, kind]) => html`
    <span>${text}</span><span class="track" aria-hidden="true"><i class=${kind} style=${{ left: `${(start / whole) * 100}%`, width: `${(length / whole) * 100}%` }}></i></span>
    <span class="num">${formatMilliseconds(length)} ms</span>`)}</div>`;
}

const headText = (fields) => fields.map(([name, value]) => `${name}: ${value}`).join("\n");
const shellQuote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** Fields that curl sets by itself. */
const OWN_FIELDS = new Set(["host", "content-length", "connection", "accept-encoding", "transfer-encoding"]);

/** The request as a line for curl; values that the gateway has hidden are left out. */
function curlLine({ method, url, request }) {
  const fields = request.headers.filter(([name, value]) => !OWN_FIELDS.has(name) && value !== "(hidden)");
  const parts = [`curl ${method === "GET" ? "" : method === "HEAD" ? "--head " : `-X ${method} `}${shellQuote(url)}`];
  return [...parts, ...fields.map(([name, value]) => `-H ${shellQuote(`${name}: ${value}`)}`)].join(" \\\n  ");
}

const isLoopback = (host) => host === "localhost" || host === "[::1]" || /^127\./.test(host);

/** The address to which a page can send the request again, if it had no body and its host leads to this gateway. */
function addressAgain({ method, url }, proxy) {
  const { hostname, port, pathname, search } = new URL(url);
  const leadsHere = (origin) => {
    const own = new URL(origin);
    return own.port === port && (own.hostname === hostname || (isLoopback(own.hostname) && isLoopback(hostname)));
  };
  const origin = ["GET", "HEAD"].includes(method) && proxy.find(leadsHere);
  return origin && origin + pathname + search;
}

async function sendAgain(method, url) {
  try {
    // A page may not read the answer of each route; the answer stands in the list.
    await fetch(url, { method, mode: "no-cors", cache: "no-store", credentials: "omit" });
    toast("Sent again, without its header fields.");
  } catch {
    toast("The proxy has closed the connection without an answer.");
  }
}

export function Exchange({ number, about, onClose }) {
  const { value: exchange, error } = useAsync(() => get(`/mynah/exchanges/${number}`), [number]);
  const close = html`<button class="btn quiet icon sm" aria-label="Close" onClick=${onClose}><${Icon} name="x" /></button>`;
  if (!exchange) {
    return html`<section class="card detail" aria-label="Exchange"><header><h2>Exchange</h2>${close}</header>${error && html`<div class="pad">
      ${error.status === 404 ? html`<p class="muted">This exchange is no longer kept.</p>` : html`<${Failure} error=${error} />`}</div>`}</section>`;
  }
  const [kind, word] = ANSWERED_BY[exchange.kind];
  const { pathname } = new URL(exchange.url);
  const again = addressAgain(exchange, about.proxy);
  return html`<section class="card detail" aria-label="Exchange"><header><h2 class="cut mono">${exchange.method} ${pathname}</h2>${close}</header>
    <div class="pad stack"><div class="row wrap"><${Status} code=${exchange.status} /><${State} kind=${kind}>${word}</${State}>
        <span class="faint small">${new Date(exchange.started_at).toLocaleTimeString()}</span><span class="grow"></span><b class="num">${formatMilliseconds(exchange.duration_ms)} ms</b></div>
      <${Phases} exchange=${exchange} />
      <dl class="kv">${exchange.route && html`<dt>Route</dt><dd>${exchange.route}</dd>`}${exchange.service && html`<dt>Service</dt><dd>${exchange.service}</dd>`}
        <dt>Client</dt><dd class="mono">${exchange.client_ip}</dd>${exchange.consumer && html`<dt>Consumer</dt><dd>${exchange.consumer}</dd>`}
        ${(exchange.upstream?.attempts || []).map(({ address, failure_status: failure }) => html`<dt>Attempt</dt><dd class="mono">${address}${failure && html` <span class="err-ink">${failure}</span>`}</dd>`)}
        <dt>Request id</dt><dd class="mono">${exchange.request_id}</dd></dl>
      <div><h3>Request</h3><pre class="code" tabindex="0">${headText(exchange.request.headers)}</pre></div>
      <div><h3>Answer</h3><pre class="code" tabindex="0">${headText(exchange.response.headers)}</pre></div>
      <div class="row wrap"><a class="btn sm" href=${`#/routing?${new URLSearchParams({ method: exchange.method, url: exchange.url })}`}><${Icon} name="waypoints" size=${14} />Explain</a>
        ${again && html`<button class="btn sm" onClick=${() => sendAgain(exchange.method, again)}><${Icon} name="refresh-cw" size=${14} />Send again</button>`}
        <${CopyButton} label="Copy as curl" text=${() => curlLine(exchange)} /></div></div></section>`;
}
