// One API: where it is served, its operations, and Swagger UI with "Try it out" through the proxy.
import {
  html, Icon, State, Method, CopyButton, Segments, Failure, classes, plural, useState, useEffect, useRef, useAsync,
} from "../ui.js";
import { get } from "../client.js";
import { WriteDialog } from "../write_dialog.js";
import { drawSwagger } from "./swagger.js";
import { countOperations, plainText } from "./home.js";

const STATE_WORDS = { mock: "mocked", live: "live", quarantined: "quarantined", none: "not served" };

function OperationList({ api, onOpen }) {
  const tags = [...new Set(api.operations.map((operation) => operation.tag))];
  return html`<nav class="oplist" aria-label="Operations">${tags.map((tag) => html`
    <h2>${tag || "Operations"}</h2>
    ${api.operations.filter((operation) => operation.tag === tag).map((operation) => html`
      <button key=${operation.method + operation.path} title=${operation.summary || operation.path} onClick=${() => onOpen(operation)}>
        <${Method} name=${operation.method} /><span class="cut">${operation.path}</span>
        <span class=${classes("pin", operation.state)} role="img" aria-label=${STATE_WORDS[operation.state]}></span></button>`)}`)}</nav>`;
}

/** Says which routes do not let pages read their answers. */
function CorsNote({ api, about, onDone }) {
  const routes = api.routes_without_cors;
  const [isAdding, setAdding] = useState(false);
  if (!routes.length) return null;
  // One write for each route: each is shown before, and can be undone.
  const [route] = routes;
  return html`<div class="note warn"><${Icon} name="triangle-alert" /><div>
      <b>“Try it out” will fail on ${routes.length === 1 ? "a route" : plural(routes.length, "route")}.</b>
      ${" "}${routes.map((route, index) => html`${index > 0 && ", "}<code>${route}</code>`)} ${routes.length === 1 ? "has" : "have"} no plugin${" "}
      <code>cors</code>, so a browser may not read the answers, while curl may.</div>
    ${about.writes && html`<button class="btn sm write" onClick=${() => setAdding(true)}>Add cors${routes.length > 1 && html` to <code>${route}</code>`}</button>`}
    ${isAdding && html`<${WriteDialog} title=${`Add cors to ${route}`} method="POST" path="/mynah/cors"
      value=${{ route }} done=${`Pages may read the answers of ${route}.`} onClose=${() => setAdding(false)}
      onDone=${() => { setAdding(false); onDone(); }} />`}</div>`;
}

/** Swagger UI of a document. */
function Operations({ api, origin, operation, onReady }) {
  const box = useRef();
  const drawn = useRef();
  const [error, setError] = useState(null);
  useEffect(() => () => {
    drawn.current?.stop?.();
    box.current?.replaceChildren();
  }, []);
  useEffect(() => {
    let isGone = false;
    const states = new Map(api.operations.map(({ method, path, state }) => [`${method} ${path}`, state]));
    const draw = async () => {
      const document = await get(`/mynah/apis/document?id=${encodeURIComponent(api.id)}`);
      // What is typed stays as long as nothing of this API has changed.
      const content = JSON.stringify([document, [...states], origin, api.base_path, api.service, operation]);
      if (isGone || drawn.current?.content === content) return;
      drawn.current?.stop?.();
      drawn.current = { content };
      box.current.replaceChildren();
      drawn.current.stop = await drawSwagger({
        element: box.current,
        document,
        origin,
        basePath: api.base_path,
        service: api.service,
        stateOf: (name) => states.get(name) || "none",
      });
      if (!isGone) onReady();
    };
    draw().then(() => setError(null), setError);
    return () => {
      isGone = true;
    };
  }, [api, origin, operation]);
  return html`<div class="swaggerbox"><h2 class="sr">Operations</h2>${error && html`<${Failure} error=${error} />`}
    <div ref=${box}></div></div>`;
}

/** Opens an operation in Swagger UI and scrolls to it. */
function openOperation({ method, path }) {
  const blocks = [...document.querySelectorAll(".swaggerbox .opblock")];
  const block = blocks.find((candidate) =>
    candidate.querySelector(".opblock-summary-method")?.textContent === method &&
    candidate.querySelector(".opblock-summary-path")?.dataset.path === path);
  if (!block) return;
  if (!block.classList.contains("is-open")) block.querySelector(".opblock-summary-control").click();
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  block.scrollIntoView({ block: "start", behavior: isCalm ? "auto" : "smooth" });
}

export function Api({ id, operation, about, generation }) {
  const { value: api, error, reload } = useAsync(() => get(`/mynah/apis?id=${encodeURIComponent(id)}`), [id, generation]);
  const [origin, setOrigin] = useState(about.proxy[0] || location.origin);
  useEffect(() => {
    if (api) document.title = `${api.title} - mynah`;
  }, [api]);
  if (error) return html`<div class="head"><h1>API</h1></div><${Failure} error=${error} retry=${reload} />`;
  if (!api) return html`<div class="apihead"><h1><span class="skel"></span></h1></div>`;
  const openWanted = () => {
    const wanted = api.operations.find(({ method, path }) => `${method} ${path}` === operation);
    if (wanted) setTimeout(openOperation, 100, wanted);
  };
  const mocked = countOperations(api, "mock");
  const live = countOperations(api, "live");
  const schemes = about.proxy.map((address) => [address, new URL(address).protocol.slice(0, -1)]);
  const isServed = api.routes.length > 0;
  return html`
    <div class="apihead"><p class="crumb"><a href="#/">APIs</a><${Icon} name="chevron-right" size=${14} /><span>${api.title}</span></p>
      <div class="row wrap"><h1>${api.title}</h1>${api.version && html`<span class="tag">${api.version}</span>`}<span class="tag">${api.format}</span>
        ${mocked > 0 && html`<${State} kind="mock">${mocked} mocked</${State}>`}${live > 0 && html`<${State} kind="live">${live} live</${State}>`}
        ${!isServed && html`<${State} kind="idle" />`}
        ${api.document && about.writes && html`<a class="btn sm quiet write" href=${`#/deploy?document=${encodeURIComponent(api.document)}`}><${Icon} name="pencil" size=${14} />Edit</a>`}
        ${api.errors + api.warnings > 0 && html`<${State} kind=${api.errors ? "err" : "warn"}>${[api.errors && plural(api.errors, "error"), api.warnings && plural(api.warnings, "warning")].filter(Boolean).join(", ")}</${State}>`}</div>
      ${api.description && html`<p class="muted lead">${plainText(api.description)}</p>`}
      ${isServed && html`<div class="served"><span class="row"><span class="faint small nowrap">Served at</span>
          ${schemes.length > 1 && html`<${Segments} label="Address" value=${origin} onChange=${setOrigin} options=${schemes} />`}</span>
        <span class="row"><code class="addr">${origin}${api.base_path}</code><${CopyButton} text=${() => origin + api.base_path} /></span>
        <span class="grow wide-only"></span>
        <span class="row small faint"><${Icon} name="route" size=${14} />${plural(api.routes.length, "route")}:
          <span class="cut">${api.routes.join(", ")}</span></span></div>`}
      ${api.hosts.length > 0 && html`<div class="note"><${Icon} name="info" /><div>Its route asks for the host
        ${api.hosts.map((host) => html` <code>${host}</code>`)}. A browser sends the host of the address, so that “Try it out” needs that name to lead here.</div></div>`}
      <${CorsNote} api=${api} about=${about} onDone=${reload} /></div>
    <div class="apigrid"><${OperationList} api=${api} onOpen=${openOperation} />
      <${Operations} api=${api} origin=${origin} operation=${operation} onReady=${openWanted} /></div>`;
}
