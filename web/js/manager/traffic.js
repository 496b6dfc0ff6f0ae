// Traffic of the last minutes: charts, the last exchanges, and one of them in detail.
import { html, Icon, State, Method, CopyButton, Failure, classes, useState, useEffect, useAsync, plural } from "../ui.js";
import { get } from "../client.js";
import { Chart } from "../chart.js";

const KINDS = { mock: ["mock", "Mocked"], upstream: ["live", "Live"], gateway: ["off", "Gateway"] };
const FILTERS = [["", "All"], ["kind=mock", "Mocked"], ["kind=upstream", "Live"], ["kind=gateway", "Gateway"], ["status=4", "4xx"], ["status=5", "5xx"]];

const Status = ({ code }) => html`<span class=${classes("st", "s" + String(code)[0])}>${code}</span>`;
const milliseconds = (value) => (value === null || value === undefined ? "–" : value < 10 ? value.toFixed(1) : Math.round(value));

/** Calls a function at once and every `seconds`, as long as the page is in sight and `isOn`. */
function useTimer(action, seconds, isOn, inputs) {
  useEffect(() => {
    if (!isOn) return undefined;
    action();
    const timer = setInterval(() => document.hidden || action(), seconds * 1000);
    return () => clearInterval(timer);
  }, [isOn, ...inputs]);
}

/** Columns for the charts. */
function columnsOf(seconds) {
  const count = (second, digit) => Object.entries(second.statuses).filter(([status]) => status[0] === digit).reduce((sum, [, number]) => sum + number, 0);
  const rate = (second, number) => (second.span_ms ? (number * 1000) / second.span_ms : number);
  const column = (value) => seconds.map(value);
  const at = column((second) => second.at / 1000);
  return {
    requests: [at, column((second) => rate(second, second.mock)), column((second) => rate(second, second.upstream + second.gateway))],
    times: [at, column((second) => second.other_ms.p50), column((second) => second.other_ms.p95), column((second) => second.other_ms.p99)],
    errors: [at, column((second) => rate(second, count(second, "4"))), column((second) => rate(second, count(second, "5")))],
  };
}

const last = (data, index) => data[index].at(-1) ?? 0;

function Charts({ seconds }) {
  const { requests, times, errors } = columnsOf(seconds);
  const number = (value) => Math.round(value * 10) / 10;
  return html`<div class="charts">
    <section class="card"><header><h2>Requests per second</h2></header><div class="legend">
      <span><i class="sw mock"></i>Mocked <b>${number(last(requests, 1))}</b></span><span><i class="sw live"></i>Live <b>${number(last(requests, 2))}</b></span></div>
      <div class="pad"><${Chart} isStacked data=${requests} label=${`Requests per second; now ${number(last(requests, 1))} mocked and ${number(last(requests, 2))} live`}
        series=${[{ label: "Mocked", colour: "mock", fill: "hatch", dash: [5, 3] }, { label: "Live", colour: "live", fill: "solid" }]} /></div></section>
    <section class="card"><header><h2>Time to answer, ms</h2></header><div class="legend">
      <span><i class="sw line"></i>median <b>${milliseconds(last(times, 1))}</b></span><span><i class="sw line p95"></i>95 % <b>${milliseconds(last(times, 2))}</b></span><span><i class="sw line p99"></i>99 % <b>${milliseconds(last(times, 3))}</b></span></div>
      <div class="pad"><${Chart} data=${times} label=${`Milliseconds to answer without mocks; now median ${milliseconds(last(times, 1))}, 95th percentile ${milliseconds(last(times, 2))}`}
        series=${[{ label: "median", colour: "ink", width: 1.75 }, { label: "95 %", colour: "ink-2", dash: [6, 4] }, { label: "99 %", colour: "err", dash: [2, 3] }]} /></div></section>
    <section class="card"><header><h2>Errors per second</h2></header><div class="legend">
      <span><i class="sw warn"></i>4xx <b>${number(last(errors, 1))}</b></span><span><i class="sw err"></i>5xx <b>${number(last(errors, 2))}</b></span></div>
      <div class="pad"><${Chart} data=${errors} label=${`Errors per second; now ${number(last(errors, 1))} of clients and ${number(last(errors, 2))} of servers`}
        series=${[{ label: "4xx", colour: "warn", dash: [6, 3] }, { label: "5xx", colour: "err", fill: "solid", width: 2 }]} /></div></section></div>`;
}

const headText = (fields) => fields.map(([name, value]) => `${name}: ${value}`).join("\n");

function Detail({ number, onClose }) {
  const { value: exchange, error } = useAsync(() => get(`/mynah/exchanges/${number}`), [number]);
  if (error) return html`<section class="card detail"><header><h2>Exchange</h2><button class="btn quiet icon sm" aria-label="Close" onClick=${onClose}><${Icon} name="x" /></button></header>
    <div class="pad"><${Failure} error=${error} /></div></section>`;
  if (!exchange) return html`<section class="card detail"><header><h2>Exchange</h2></header></section>`;
  const [kind, word] = KINDS[exchange.kind];
  const path = new URL(exchange.url).pathname;
  const curl = () => ["curl", exchange.method === "GET" ? "" : `-X ${exchange.method}`, `'${exchange.url.replaceAll("'", "%27")}'`].filter(Boolean).join(" ");
  const times = [["Head of the answer", exchange.head_latency_ms], ["In the gateway", exchange.upstream?.gateway_latency_ms], ["In the upstream", exchange.upstream?.upstream_latency_ms], ["Altogether", exchange.duration_ms]];
  return html`<section class="card detail" aria-label="Exchange"><header><h2 class="cut mono">${exchange.method} ${path}</h2>
      <button class="btn quiet icon sm" aria-label="Close" onClick=${onClose}><${Icon} name="x" /></button></header>
    <div class="pad stack"><div class="row wrap"><${Status} code=${exchange.status} /><${State} kind=${kind}>${word}</${State}>
        <span class="faint small">${new Date(exchange.started_at).toLocaleTimeString()}</span><span class="grow"></span><b class="num">${milliseconds(exchange.duration_ms)} ms</b></div>
      <dl class="kv">${exchange.route && html`<dt>Route</dt><dd>${exchange.route}</dd>`}${exchange.service && html`<dt>Service</dt><dd>${exchange.service}</dd>`}
        <dt>Client</dt><dd class="mono">${exchange.client_ip}</dd>${exchange.consumer && html`<dt>Consumer</dt><dd>${exchange.consumer}</dd>`}
        ${(exchange.upstream?.attempts || []).map(({ address, failure_status }) => html`<dt>Attempt</dt><dd class="mono">${address}${failure_status && html` <span class="err-ink">${failure_status}</span>`}</dd>`)}
        ${times.filter(([, value]) => value !== null && value !== undefined).map(([text, value]) => html`<dt>${text}</dt><dd>${milliseconds(value)} ms</dd>`)}</dl>
      <div><h3>Request</h3><pre class="code" tabindex="0">${headText(exchange.request.headers)}</pre></div>
      <div><h3>Answer</h3><pre class="code" tabindex="0">${headText(exchange.response.headers)}</pre></div>
      <div class="row wrap"><a class="btn sm" href=${`#/routing?${new URLSearchParams({ method: exchange.method, url: exchange.url })}`}><${Icon} name="waypoints" size=${14} />Explain</a>
        <${CopyButton} label="Copy as curl" text=${curl} /></div></div></section>`;
}

export function Traffic() {
  const [minutes, setMinutes] = useState(5);
  const [isFollowing, setFollowing] = useState(true);
  const [filter, setFilter] = useState("");
  const [selected, setSelected] = useState(null);
  const [traffic, setTraffic] = useState(null);
  const [exchanges, setExchanges] = useState(null);
  const [error, setError] = useState(null);
  const read = (path, take) => get(path).then((value) => { take(value); setError(null); }, setError);
  useTimer(() => read(`/mynah/traffic?seconds=${minutes * 60}`, setTraffic), 2, isFollowing, [minutes]);
  useTimer(() => read(`/mynah/exchanges?count=60&${filter}`, setExchanges), 2, isFollowing, [filter]);
  const rows = exchanges?.data || [];
  return html`<div class="head"><div><h1>Traffic</h1><p>What passes, kept in memory for minutes. Bodies are never kept.</p></div>
      <div class="row wrap">${[1, 3, 5, 10].map((count) => html`<button class="chip" key=${count} aria-pressed=${minutes === count} onClick=${() => setMinutes(count)}>${count} min</button>`)}
        <button class="btn" aria-pressed=${!isFollowing} onClick=${() => setFollowing(!isFollowing)}><${Icon} name=${isFollowing ? "circle-dot" : "play"} />${isFollowing ? "Following" : "Paused"}</button></div></div>
    ${error && html`<${Failure} error=${error} />`}
    ${traffic && html`<${Charts} seconds=${traffic.seconds} />`}
    <div class=${classes("livegrid", !selected && "solo")}><section class="card">
      <div class="filters"><div class="row scrollchips">${FILTERS.map(([query, text]) => html`<button class="chip" key=${query} aria-pressed=${filter === query} onClick=${() => setFilter(query)}>${text}</button>`)}</div></div>
      ${rows.length
        ? html`<div class="tablewrap" tabindex="0" role="region" aria-label="Exchanges"><table class="cards">
          <thead><tr><th scope="col">Request</th><th scope="col">Status</th><th scope="col">Answered by</th><th scope="col">Route</th><th scope="col" class="num">ms</th><th scope="col">At</th></tr></thead>
          <tbody>${rows.map((exchange) => html`<tr data-row key=${exchange.number} aria-selected=${selected === exchange.number}>
            <td class="first"><span class="row"><${Method} name=${exchange.method} /><button class="linkrow mono cut" onClick=${() => setSelected(exchange.number)}>${exchange.url.replace(/^[a-z]+:\/\/[^/]*/, "")}</button></span></td>
            <td><${Status} code=${exchange.status} /></td><td class="second"><${State} kind=${KINDS[exchange.kind][0]}>${KINDS[exchange.kind][1]}</${State}></td>
            <td class="hide">${exchange.route || html`<span class="faint">none</span>`}</td><td class="num">${milliseconds(exchange.duration_ms)}</td>
            <td class="faint hide">${new Date(exchange.started_at).toLocaleTimeString()}</td></tr>`)}</tbody></table></div>`
        : html`<p class="pad muted">${exchanges ? "No request yet. They are recorded while this page is open." : "…"}</p>`}
      <div class="foot" role="status">${plural(rows.length, "exchange")}, the newest first</div></section>
      ${selected && html`<${Detail} number=${selected} onClose=${() => setSelected(null)} />`}</div>`;
}
