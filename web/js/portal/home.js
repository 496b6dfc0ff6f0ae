// All APIs: a tile for each document, with what answers for its operations.
import {
  html, Icon, State, Failure, SearchField, classes, plural, useState, useAsync,
} from "../ui.js";
import { get } from "../client.js";
import { useTimer } from "../events.js";
import { WriteDialog } from "../write_dialog.js";

/** The state of an API as a whole, by the states of its operations. */
export function apiState(api) {
  const has = (state) => api.operations.some((operation) => operation.state === state);
  if (!api.is_readable) return "err";
  if (has("quarantined")) return "quar";
  if (has("mock") && has("live")) return "mixed";
  if (has("mock")) return "mock";
  return has("live") ? "live" : "idle";
}

export const countOperations = (api, state) => api.operations.filter((operation) => operation.state === state).length;

/** Markdown and HTML of a description as plain text. */
export const plainText = (text) =>
  text.replace(/<[^>]*>/g, " ").replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/[`*_#>]/g, "").replace(/\s+/g, " ").trim();

const SEGMENTS = { mock: "m", live: "l", quarantined: "q", none: "n" };

/** One segment per operation, in the order of states. */
function OperationBar({ api }) {
  const states = ["mock", "live", "quarantined", "none"];
  const segments = states.flatMap((state) => Array(countOperations(api, state)).fill(SEGMENTS[state]));
  const label = `${countOperations(api, "mock")} mocked, ${countOperations(api, "live")} live, ` +
    `${countOperations(api, "quarantined")} quarantined, ${countOperations(api, "none")} not served`;
  // Many operations: the shares stay right.
  const step = Math.max(1, segments.length / 24);
  const shown = Array.from({ length: Math.min(segments.length, 24) }, (_, index) => segments[Math.floor(index * step)]);
  return html`<div class="split" role="img" aria-label=${label}>${shown.map((kind) => html`<i class=${kind} style=${{ flex: 1 }}></i>`)}</div>`;
}

/** Hosts and first segments of the paths that are served. */
function addresses(api) {
  const served = api.operations.filter(({ state }) => state !== "none");
  const paths = [...new Set(served.map(({ path }) => `${api.base_path}/${path.split("/")[1] || ""}`.replace(/\/{2,}/g, "/")))];
  return api.hosts.length ? api.hosts.flatMap((host) => paths.map((path) => host + path)) : paths;
}

function Tile({ api, canWrite, onMock }) {
  const state = apiState(api);
  const href = `#/api?id=${encodeURIComponent(api.id)}`;
  const mocked = countOperations(api, "mock");
  const live = countOperations(api, "live");
  const problem = api.diagnostics[0];
  const badge =
    state === "mixed"
      ? html`<div class="row pair"><${State} kind="mock">${mocked}<span class="sr"> mocked</span></${State}>
          <${State} kind="live">${live}<span class="sr"> live</span></${State}></div>`
      : html`<${State} kind=${state}>${state === "err" ? "Unreadable" : undefined}</${State}>`;
  const findings = [api.errors && plural(api.errors, "error"), api.warnings && plural(api.warnings, "warning")].filter(Boolean);
  return html`<article class=${classes("card tile", state)}>
    <div><div class="row"><h2 class="cut grow">${state === "err" ? api.title : html`<a href=${href}>${api.title}</a>`}</h2>${badge}</div>
      <p class="small faint row">${[api.version, api.format, api.document || "in kong.yaml"].filter(Boolean).map((text, index) => html`
        ${index > 0 && html`<span>·</span>`}<span class="cut">${text}</span>`)}</p></div>
    <div class="tilebody">${state === "err"
      ? html`<p class="errline"><code>${problem.file}:${problem.line}:${problem.column}</code> ${problem.message}</p>`
      : html`<p class="muted about">${plainText(api.description) || html`<span class="faint">No description</span>`}</p>
        ${findings.length > 0 && html`<p class="small lint" title=${problem?.message}><${Icon} name="triangle-alert" size=${14} />${findings.join(", ")}</p>`}`}</div>
    <${OperationBar} api=${api} />
    <footer class="row small">${
      state === "idle"
        ? html`<span class="faint grow cut">${plural(api.operations.length, "operation")}, no route leads here</span>
          ${canWrite && api.document && api.operations.length > 0
            ? html`<button class="btn sm primary write" onClick=${() => onMock(api)}><${Icon} name="bird" size=${14} />Mock this</button>`
            : html`<a class="btn sm" href=${href}>Read<span class="sr"> ${api.title}</span></a>`}`
        : state === "err"
          ? html`<span class="faint grow">This document cannot be read</span>
            ${canWrite && api.document && html`<a class="btn sm write" href=${`#/deploy?document=${encodeURIComponent(api.document)}`}><${Icon} name="pencil" size=${14} />Edit<span class="sr"> ${api.title}</span></a>`}`
          : html`<span class="mono cut faint" title=${addresses(api).join(", ")}>${addresses(api)[0] || "–"}${addresses(api).length > 1 ? ` +${addresses(api).length - 1}` : ""}</span>
            <span class="faint">·</span><span class="faint nowrap">${plural(api.operations.length, "operation")}</span>
            <span class="grow"></span>
            <a class="btn sm" href=${href}><${Icon} name="play" size=${14} />Try it<span class="sr"> out: ${api.title}</span></a>`
    }</footer></article>`;
}

const FILTERS = [
  ["all", "All", () => true],
  ["mock", "Mocked", (api) => countOperations(api, "mock") > 0],
  ["live", "Live", (api) => countOperations(api, "live") > 0],
  ["idle", "Not served", (api) => apiState(api) === "idle"],
  ["bad", "Needs a look", (api) => api.errors > 0 || ["err", "quar"].includes(apiState(api))],
];

function Empty() {
  return html`<div class="empty big"><${Icon} name="layers" size=${28} /><h2>No API yet</h2>
    <p>Drop an OpenAPI document (3.1, 3.0 or Swagger 2.0; YAML or JSON) here, or save it into the folder <code>specs</code> beside
      the configuration. This page shows it at once.</p>
    <a class="btn primary" href="#/deploy"><${Icon} name="upload" />Deploy a document</a></div>`;
}

/** The folder of documents is read again after as many seconds. */
const DOCUMENT_SECONDS = 5;

export function Home({ about, generation }) {
  const { value, error, reload } = useAsync(() => get("/mynah/apis"), [generation]);
  // A document that nothing uses is no part of the configuration, whose events the page follows.
  useTimer(() => value && reload(), DOCUMENT_SECONDS, true);
  const [query, setQuery] = useState("");
  const [filter, setFilter] = useState("all");
  const [mocking, setMocking] = useState(null);
  const apis = value?.data || [];
  const matches = (api) => {
    const text = [api.title, api.description, api.document, ...api.operations.map((operation) => operation.path)].join(" ");
    return text.toLowerCase().includes(query.toLowerCase());
  };
  const shown = apis.filter(FILTERS.find(([name]) => name === filter)[2]).filter(matches);
  return html`<div class="head"><div><h1>APIs</h1>
      <p>Every document in <code>specs</code> and in the configuration, and what answers for it.</p></div>
      <a class="btn write" href="#/deploy"><${Icon} name="upload" />Deploy</a></div>
    ${error && html`<${Failure} error=${error} retry=${reload} />`}
    ${value && !apis.length && html`<${Empty} />`}
    ${apis.length > 0 && html`<div class="row wrap homefilter scrollchips">
        <${SearchField} label="Filter APIs" placeholder="Filter by name or path" value=${query} onChange=${setQuery} />
        ${FILTERS.map(([name, text, matchesFilter]) => html`<button class="chip" key=${name} aria-pressed=${filter === name}
          onClick=${() => setFilter(name)}>${text} <span>${apis.filter(matchesFilter).length}</span></button>`)}</div>
      <div class="tiles">${shown.map((api) => html`<${Tile} key=${api.id} api=${api} canWrite=${about.writes} onMock=${setMocking} />`)}</div>
      ${!shown.length && html`<div class="empty"><${Icon} name="search" size=${28} /><h2>No API matches</h2>
        <button class="btn" onClick=${() => { setQuery(""); setFilter("all"); }}>Show all</button></div>`}`}
    ${mocking && html`<${WriteDialog} title=${`Mock ${mocking.title}`} method="POST" path="/mynah/mock" value=${{ document: mocking.document }}
      done=${`${mocking.title} answers now.`} onClose=${() => setMocking(null)}
      onDone=${() => { setMocking(null); reload(); }} />`}`;
}
