// Swagger UI with the look of the pages: its own layout, states of operations, the answer bar, names for screen readers.
import { html, render } from "../ui.js";
import { AnswerBar, wishedHeaders } from "./answer_bar.js";

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
const assets = new URL("../../", import.meta.url);

let loading;

/** Loads Swagger UI when the first API is shown. */
export function loadSwagger() {
  loading ||= new Promise((resolve, reject) => {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = new URL("css/swagger.css", assets).href;
    document.head.append(style);
    const script = document.createElement("script");
    script.src = new URL("vendor/swagger-ui-bundle.js", assets).href;
    script.onload = () => resolve(window.SwaggerUIBundle);
    script.onerror = () => reject(new Error("Swagger UI cannot be loaded; reload the page"));
    document.head.append(script);
  });
  return loading;
}

/** A document whose servers are one address of the gateway. */
export function withServer(document, origin, basePath) {
  const served = structuredClone(document);
  if (served.swagger) {
    const { host, protocol } = new URL(origin);
    Object.assign(served, { host, basePath: basePath || "/", schemes: [protocol.slice(0, -1)] });
  } else {
    served.servers = [{ url: origin + basePath }];
  }
  for (const item of Object.values(served.paths || {})) {
    if (!item || typeof item !== "object") continue;
    delete item.servers;
    for (const method of METHODS) {
      if (!item[method]) continue;
      delete item[method].servers;
      delete item[method].schemes;
    }
  }
  // The page shows them itself.
  if (served.info) delete served.info.description;
  return served;
}

/** Keeps a place in the tree of Swagger UI's React for an element of the page. */
const places = new WeakMap();
function placeOf(React) {
  if (!places.has(React)) {
    places.set(React, function Place({ id, draw }) {
      const element = React.useRef();
      React.useEffect(() => {
        draw(element.current);
        return () => render(null, element.current);
      }, [id]);
      return React.createElement("div", { ref: element, className: "barhost" });
    });
  }
  return places.get(React);
}

/** JSON in spans with classes, so that the tokens of both themes reach it. */
function highlightJson(React, text) {
  if (text.length > 200000) return text;
  const parts = [];
  const token = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\btrue\b|\bfalse\b|\bnull\b)/g;
  let end = 0;
  for (let match = token.exec(text); match; match = token.exec(text)) {
    const word = match[1] || match[3];
    const kind = match[2] !== undefined ? "k" : match[1] ? "s" : "n";
    parts.push(text.slice(end, match.index), React.createElement("span", { key: match.index, className: kind }, word));
    end = match.index + word.length;
  }
  return [...parts, text.slice(end)];
}

/** Names of the examples in the responses of an operation. */
function exampleNames(operation) {
  const responses = operation.get("responses")?.toJS() || {};
  const names = Object.values(responses).flatMap((response) =>
    Object.values(response?.content || {}).flatMap((media) => Object.keys(media?.examples || {})));
  return [...new Set(names)];
}

/** The request of an operation with what is typed into its form. */
function typedRequest(system, { path, method }, served) {
  const headers = { accept: "application/json" };
  const query = new URLSearchParams();
  let typedPath = path;
  system.specSelectors.parameterValues([path, method]).forEach((value, key) => {
    const [place, ...rest] = String(key).split(".");
    const name = rest.join(".").replace(/\.hash-.*$/, "");
    if (value === undefined || value === null || value === "" || typeof value === "object") return;
    if (place === "path") typedPath = typedPath.replace(`{${name}}`, encodeURIComponent(value));
    else if (place === "query") query.append(name, value);
    else if (place === "header") headers[name] = value;
  });
  const body = system.oas3Selectors?.requestBodyValue?.(path, method);
  const text = typeof body === "string" ? body : undefined;
  if (text) headers["content-type"] = "application/json";
  const search = query.toString();
  return { method: method.toUpperCase(), url: served() + typedPath + (search ? "?" + search : ""), headers, body: text };
}

/** The plugin of Swagger UI. `stateOf` returns the state of an operation; `sending` holds the operation that is sent. */
function pagePlugin({ stateOf, served, service, sending }) {
  return (system) => {
    const element = (...parts) => system.React.createElement(...parts);
    return {
      components: {
        // The layout without Swagger UI's head, list of servers and second <main>.
        PageLayout: ({ getComponent }) =>
          element("div", { className: "swagger-ui" },
            element(getComponent("errors", true)),
            element("div", { className: "authrow" }, element(getComponent("AuthorizeBtnContainer", true))),
            element(getComponent("operations", true))),
        SyntaxHighlighter: ({ children, language }) => {
          const text = String(children ?? "");
          const isJson = !language || language === "json";
          return element("pre", { className: "microlight", tabIndex: 0 }, isJson ? highlightJson(system.React, text) : text);
        },
      },
      wrapComponents: {
        execute: (Original, { React }) => (props) => {
          const operation = `${props.method.toUpperCase()} ${props.path}`;
          const responses = Object.keys(props.operation.get("responses")?.toJS() || {});
          const draw = (host) => render(html`<${AnswerBar} operation=${operation} state=${stateOf(operation)} service=${service}
            statuses=${responses.filter((status) => /^\d{3}$/.test(status))} examples=${exampleNames(props.operation)}
            request=${() => typedRequest(system, props, served)} />`, host);
          return element(React.Fragment, null, element(placeOf(React), { id: operation, draw }), element(Original, props));
        },
        // The state of an operation stands in its line, before it is opened.
        OperationSummaryPath: (Original, { React }) => (props) => {
          const { path, method } = props.operationProps.toJS();
          const state = stateOf(`${method.toUpperCase()} ${path}`);
          const word = { mock: "Mocked", live: "Live", quarantined: "Quarantined", none: "Not served" }[state];
          return element(React.Fragment, null, element(Original, props), element("span", { className: "opstate " + state }, word));
        },
      },
      statePlugins: {
        spec: {
          wrapActions: {
            executeRequest: (original) => (request) => {
              sending.operation = `${request.method.toUpperCase()} ${request.pathName}`;
              return original(request);
            },
          },
        },
      },
    };
  };
}

/** What Swagger UI leaves out for screen readers, added after each of its renderings. */
export function completeLabels(root) {
  const name = (element, label) => element.setAttribute("aria-label", label);
  root.querySelectorAll("select:not([aria-label])").forEach((select) => {
    // The selects of the answer bar have labels.
    if (select.labels.length) return;
    const isMedia = select.closest(".content-type-wrapper, .response-control-media-type");
    name(select, isMedia ? "Media type" : select.closest("tr")?.querySelector(".parameter__name")?.textContent.trim() || "Choice");
  });
  root.querySelectorAll("tr[data-param-name] :is(input, textarea):not([aria-label])").forEach((input) => {
    name(input, input.closest("tr").dataset.paramName);
  });
  root.querySelectorAll("textarea:not([aria-label])").forEach((textarea) => name(textarea, "Request body"));
  root.querySelectorAll("pre:not([tabindex])").forEach((text) => {
    text.tabIndex = 0;
  });
  root.querySelectorAll("[role=tablist] [role=tab][aria-controls]").forEach((tab) => {
    if (!document.getElementById(tab.getAttribute("aria-controls"))) tab.removeAttribute("aria-controls");
  });
}

/** Draws a document into an element. Returns a function that removes it. */
export async function drawSwagger({ element, document: api, origin, basePath, stateOf, service }) {
  const SwaggerUI = await loadSwagger();
  const sending = { operation: null };
  SwaggerUI({
    spec: withServer(api, origin, basePath),
    domNode: element,
    presets: [SwaggerUI.presets.apis],
    plugins: [pagePlugin({ stateOf, served: () => origin + basePath, service, sending })],
    layout: "PageLayout",
    deepLinking: false,
    docExpansion: "list",
    defaultModelsExpandDepth: -1,
    displayRequestDuration: true,
    validatorUrl: null,
    requestInterceptor: (request) => {
      const isMocked = stateOf(sending.operation) === "mock";
      if (!request.loadSpec && isMocked) Object.assign(request.headers, wishedHeaders(sending.operation));
      return request;
    },
    onComplete: () => completeLabels(element),
  });
  const observer = new MutationObserver(() => completeLabels(element));
  observer.observe(element, { childList: true, subtree: true, attributes: true, attributeFilter: ["class"] });
  return () => observer.disconnect();
}
