// Traffic of the last minutes: charts, the busiest routes, the last exchanges, and one of them in detail.
import { html, Icon, State, Method, Failure, classes, useState, useEffect, useRef, plural, formatNumber } from "../ui.js";
import { get } from "../client.js";
import { useEvents, useIsStreamOpen, useTimer } from "../events.js";
import { Charts, countStatuses, formatMilliseconds } from "./traffic_charts.js";
import { ANSWERED_BY, Exchange, Status } from "./exchange.js";

const FILTERS = [["", "All"], ["kind=mock", "Mocked"], ["kind=upstream", "Live"], ["kind=gateway", "Gateway"], ["status=4", "4xx"], ["status=5", "5xx"]];
const MINUTES = [1, 3, 5, 10];
/** Exchanges in the list. */
const MOST_EXCHANGES = 60;
/** Sums by route are read again after as many seconds; the stream has those of the whole. */
const ROUTE_SECONDS = 5;

/** The numbers of the last minutes, which the stream of events continues second by second. */
export function useTraffic(minutes, route, isOn) {
  const [traffic, setTraffic] = useState(null);
  const [error, setError] = useState(null);
  const isStreamOpen = useIsStreamOpen();
  const read = () =>
    get(`/mynah/traffic?${new URLSearchParams({ seconds: minutes * 60, ...(route && { route }) })}`).then(
      (value) => { setTraffic(value); setError(null); },
      setError,
    );
  // The stream has no numbers of single routes.
  useTimer(read, isStreamOpen && !route ? ROUTE_SECONDS : 2, isOn, [minutes, route]);
  const append = (second) =>
    setTraffic((old) => {
      if (!old || (old.seconds.at(-1)?.at ?? 0) >= second.at) return old;
      return { ...old, seconds: [...old.seconds, second].slice(-minutes * 60) };
    });
  useEvents("traffic", append, isOn && !route);
  return { traffic, error };
}

/** The last exchanges that a filter passes; the stream says when there are further ones. */
function useExchanges(query, isOn) {
  const [exchanges, setExchanges] = useState(null);
  const isStreamOpen = useIsStreamOpen();
  const reading = useRef(null);
  const read = () => {
    clearTimeout(reading.current);
    reading.current = null;
    return get(`/mynah/exchanges?${query}`).then(setExchanges, () => {});
  };
  useTimer(read, isStreamOpen ? 20 : 2, isOn, [query]);
  // Under load the list follows twice a second.
  useEvents("exchanges", () => { reading.current ??= setTimeout(read, 500); }, isOn);
  useEffect(() => () => clearTimeout(reading.current), []);
  return exchanges;
}

function Routes({ routes, chosen, onChoose }) {
  const total = ({ mock, upstream, gateway }) => mock + upstream + gateway;
  const count = (route, digit) => Object.entries(route.statuses).reduce((sum, [status, number]) => sum + (status[0] === digit ? number : 0), 0);
  const time = (route) => (route.upstream + route.gateway ? route.other_ms.p95 : route.mock_ms.p95);
  return html`<section class="card"><header><h2>By route</h2>${chosen && html`<button class="btn quiet sm" onClick=${() => onChoose("")}>All routes</button>`}</header>
    ${routes.length ? html`<div class="tablewrap" tabindex="0" role="region" aria-label="By route"><table>
      <thead><tr><th scope="col">Route</th><th scope="col" class="num">Requests</th><th scope="col" class="num">Mocked</th><th scope="col" class="num">4xx</th><th scope="col" class="num">5xx</th><th scope="col" class="num" title="95 % of the worst second">95 %, ms</th></tr></thead>
      <tbody>${routes.map((route) => html`<tr data-row key=${route.route} aria-selected=${route.route === chosen}>
        <td><button class="linkrow cut" aria-pressed=${route.route === chosen} onClick=${() => onChoose(route.route === chosen ? "" : route.route)}>${route.route || "no route"}</button></td>
        <td class="num">${formatNumber(total(route))}</td><td class="num">${formatNumber(route.mock)}</td>
        <td class="num">${formatNumber(count(route, "4"))}</td><td class="num">${formatNumber(count(route, "5"))}</td><td class="num">${formatMilliseconds(time(route))}</td></tr>`)}</tbody></table></div>`
      : html`<p class="pad muted">No request in this time.</p>`}</section>`;
}

/** How often each status was answered. */
function Statuses({ seconds }) {
  const counts = countStatuses(seconds);
  return html`<section class="card"><header><h2>By status</h2></header><div class="pad row wrap statuscounts">${counts.length
    ? counts.map(([status, count]) => html`<span class="row" key=${status}><${Status} code=${status} /><span class="num">${formatNumber(count)}</span></span>`)
    : html`<span class="muted">No answer in this time.</span>`}</div></section>`;
}

export function Traffic({ about }) {
  const [minutes, setMinutes] = useState(5);
  const [isFollowing, setFollowing] = useState(true);
  const [filter, setFilter] = useState("");
  const [route, setRoute] = useState("");
  const [selected, setSelected] = useState(null);
  const { traffic, error } = useTraffic(minutes, route, isFollowing);
  const query = new URLSearchParams(filter);
  query.set("count", MOST_EXCHANGES);
  if (route) query.set("route", route);
  const exchanges = useExchanges(query.toString(), isFollowing);
  const rows = exchanges?.data || [];
  // The sums of all routes stay while one of them is chosen.
  const allRoutes = useRef([]);
  if (traffic && !route) allRoutes.current = traffic.routes;
  return html`<div class="head"><div><h1>Traffic</h1><p>What passes, kept in memory for minutes. Bodies are never kept.</p></div>
      <div class="row wrap">${MINUTES.map((count) => html`<button class="chip" key=${count} aria-pressed=${minutes === count} onClick=${() => setMinutes(count)}>${count} min</button>`)}
        <button class="btn" aria-pressed=${!isFollowing} onClick=${() => setFollowing(!isFollowing)}><${Icon} name=${isFollowing ? "circle-dot" : "play"} />${isFollowing ? "Following" : "Paused"}</button></div></div>
    ${error && html`<${Failure} error=${error} />`}
    ${traffic && html`<${Charts} key=${minutes} seconds=${traffic.seconds} />
      <div class="two below"><${Routes} routes=${allRoutes.current} chosen=${route} onChoose=${setRoute} /><${Statuses} seconds=${traffic.seconds} /></div>`}
    <div class=${classes("livegrid", !selected && "solo")}><section class="card">
      <div class="filters"><div class="row scrollchips">${FILTERS.map(([value, text]) => html`<button class="chip" key=${value} aria-pressed=${filter === value} onClick=${() => setFilter(value)}>${text}</button>`)}
        ${route && html`<button class="chip" aria-pressed="true" onClick=${() => setRoute("")}>${route}<${Icon} name="x" size=${14} label="show all routes" /></button>`}</div></div>
      ${rows.length
        ? html`<div class="tablewrap" tabindex="0" role="region" aria-label="Exchanges"><table class="cards">
          <thead><tr><th scope="col">Request</th><th scope="col">Status</th><th scope="col">Answered by</th><th scope="col">Route</th><th scope="col" class="num">ms</th><th scope="col">At</th></tr></thead>
          <tbody>${rows.map((exchange) => html`<tr data-row key=${exchange.number} aria-selected=${selected === exchange.number}>
            <td class="first"><span class="row"><${Method} name=${exchange.method} /><button class="linkrow mono cut" onClick=${() => setSelected(exchange.number)}>${exchange.url.replace(/^[a-z]+:\/\/[^/]*/, "")}</button></span></td>
            <td><${Status} code=${exchange.status} /></td><td class="second"><${State} kind=${ANSWERED_BY[exchange.kind][0]}>${ANSWERED_BY[exchange.kind][1]}</${State}></td>
            <td class="hide">${exchange.route || html`<span class="faint">none</span>`}</td><td class="num">${formatMilliseconds(exchange.duration_ms)}</td>
            <td class="faint hide">${new Date(exchange.started_at).toLocaleTimeString()}</td></tr>`)}</tbody></table></div>`
        : html`<p class="pad muted">${exchanges ? (filter || route ? "No such request." : "No request yet. They are recorded while this page is open.") : "…"}</p>`}
      <div class="foot" role="status">${plural(rows.length, "exchange")}, the newest first</div></section>
      ${selected && html`<${Exchange} key=${selected} number=${selected} about=${about} onClose=${() => setSelected(null)} />`}</div>`;
}
