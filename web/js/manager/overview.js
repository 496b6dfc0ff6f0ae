// What the gateway serves, and what needs a look.
import { html, Icon, State, useAsync, formatNumber } from "../ui.js";
import { get, list } from "../client.js";
import { COLLECTIONS } from "./collections.js";
import { useTraffic } from "./traffic.js";
import { RequestChart } from "./traffic_charts.js";

/** Minutes of the chart. */
const CHART_MINUTES = 5;

/** What somebody should look at: `[kind, text, detail, href]`. */
async function findProblems(status) {
  const problems = [];
  const config = status.configuration;
  if (config.last_error) problems.push(["err", "The last save was refused", config.last_error.message, "#/reloads"]);
  for (const entity of config.quarantined || []) {
    problems.push(["quar", `${entity.entity} ${entity.name} is in quarantine`, entity.reason, "#/reloads"]);
  }
  for (const upstream of (await list("upstreams")).slice(0, 50)) {
    const health = await get(`/upstreams/${upstream.id}/health`);
    for (const target of health.data.filter(({ health: state }) => ["UNHEALTHY", "DNS_ERROR"].includes(state))) {
      problems.push(["err", `${target.target} is unhealthy`, `a target of ${upstream.name}`, `#/upstreams/${upstream.id}`]);
    }
  }
  return problems;
}

const ICONS = { err: ["octagon-x", "err-ink", "error"], quar: ["shield-alert", "warn-ink", "quarantined"] };

export function Overview({ about, counts, status }) {
  const problems = useAsync(() => (status ? findProblems(status) : Promise.resolve(null)), [status?.configuration.generation, status?.configuration.failures]);
  const { traffic } = useTraffic(CHART_MINUTES, "", true);
  const server = status?.server;
  const memory = status?.memory?.workers_lua_vms?.[0]?.http_allocated_gc;
  const config = status?.configuration;
  return html`<div class="head"><div><h1>Overview</h1>
      <p>mynah ${about.version} serves ${config ? html`<code>${config.source}</code>` : "a configuration"} at ${about.proxy.map((origin, index) => html`${index > 0 && ", "}<code>${origin}</code>`)}</p></div>
      ${about.portal && html`<a class="btn" href=${about.portal}><${Icon} name="layers" />Open the portal</a>`}
      <a class="btn primary" href="#/routing"><${Icon} name="waypoints" />Explain a request</a></div>
    <div class="kpis">${["services", "routes", "plugins", "consumers"].map((name) => html`<a class="card kpi" key=${name} href=${"#/" + name}>
      <div class="k row"><${Icon} name=${COLLECTIONS[name].icon} size=${14} />${COLLECTIONS[name].title}</div><div class="v">${counts[name] === undefined ? "–" : formatNumber(counts[name])}</div></a>`)}</div>
    <div class="charts one">${traffic ? html`<${RequestChart} seconds=${traffic.seconds} more=${html`<a class="small" href="#/traffic">Traffic</a>`} />` : html`<section class="card chartroom"></section>`}</div>
    <div class="two even">
      <section class="card"><header><h2>Needs a look</h2></header>${problems.value?.length
        ? html`<ul class="feed">${problems.value.map(([kind, text, detail, href]) => html`<li key=${text}><span class=${ICONS[kind][1]}><${Icon} name=${ICONS[kind][0]} label=${ICONS[kind][2]} /></span>
          <div><a href=${href}>${text}</a><p class="small muted">${detail}</p></div></li>`)}</ul>`
        : html`<p class="pad row muted">${problems.value ? html`<span class="ok-ink"><${Icon} name="circle-check" /></span>Nothing. The configuration is the file's, and no target is known to be unhealthy.` : "…"}</p>`}</section>
      <section class="card"><header><h2>Process</h2>${config && !config.last_error && html`<${State} kind="ok">Version ${config.generation}</${State}>`}</header>
        ${server && html`<dl class="kv pad"><dt>Memory</dt><dd>${memory}</dd>
          <dt>Requests</dt><dd>${formatNumber(server.total_requests)}</dd>
          <dt>Connections</dt><dd>${formatNumber(server.connections_active)} open, ${formatNumber(server.connections_accepted)} accepted</dd>
          <dt>Up since</dt><dd>${new Date(Date.now() - server.uptime_seconds * 1000).toLocaleString()}</dd></dl>`}</section></div>`;
}
