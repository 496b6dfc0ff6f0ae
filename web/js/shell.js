// The frame of a page: bar, navigation, bands about the file, keys, search, login.
import {
  html, Icon, Logo, Dialog, Toasts, Failure, classes, formatNumber, useState, useEffect, useTheme, useKeys, useLocation, useAsync,
} from "./ui.js";
import { describePage, get, logIn, logOut, onLoginNeeded } from "./client.js";
import { useEvents, useIsStreamOpen, useTimer } from "./events.js";

/** Sections of the manager: title and entries of path, text, icon, key, collection. */
const NAVIGATION = [
  ["Observe", [
    ["/", "Overview", "layout-dashboard", "o"],
    ["/traffic", "Traffic", "activity", "t"],
    ["/routing", "Routing", "waypoints", "x"],
    ["/reloads", "Reloads", "rotate-ccw-clock", "h"],
  ]],
  ["Configure", [
    ["/services", "Services", "server", "s"],
    ["/routes", "Routes", "route", "r"],
    ["/plugins", "Plugins", "puzzle", "p"],
    ["/consumers", "Consumers", "users", "c"],
    ["/upstreams", "Upstreams", "network", "u"],
  ]],
  ["Secure", [
    ["/certificates", "Certificates", "badge-check"],
    ["/snis", "SNIs", "globe"],
    ["/ca_certificates", "CA certificates", "lock"],
    ["/vaults", "Vaults", "key-round"],
  ]],
];

const THEMES = { auto: ["light", "monitor"], light: ["dark", "sun"], dark: ["auto", "moon"] };

function KeyList({ page, onClose }) {
  const places =
    page === "manager"
      ? NAVIGATION.flatMap(([, entries]) => entries.filter(([, , , key]) => key).map(([, text, , key]) => ["g " + key, text]))
      : [["g h", "All APIs"], ["g d", "Deploy"]];
  const rows = [["/", "Search"], ["?", "This list"], ["t", "Theme: light, dark, as the system"], ...places, ["Esc", "Close"]];
  return html`<${Dialog} title="Keys" onClose=${onClose}><dl class="keys">
    ${rows.map(([keys, text]) => html`<div class="row" key=${keys}>
      <dt>${keys.split(" ").map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${text}</dd></div>`)}
  </dl></${Dialog}>`;
}

/** Search over entries of `{text, where, icon, href}`, which `load` returns. */
function Search({ load, onClose }) {
  const { value: entries = [], error } = useAsync(load, []);
  const [query, setQuery] = useState("");
  const [selected, setSelected] = useState(0);
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (entry) => words.every((word) => (entry.text + " " + entry.where).toLowerCase().includes(word));
  const hits = entries.filter(matches).slice(0, 9);
  const open = (entry) => {
    location.href = entry.href;
    onClose();
  };
  const press = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      setSelected(Math.max(0, Math.min(selected + step, hits.length - 1)));
    } else if (event.key === "Enter" && hits[selected]) open(hits[selected]);
  };
  return html`<${Dialog} title="Search" onClose=${onClose}>
    <div class="withicon"><${Icon} name="search" /><input class="input" autofocus role="combobox" aria-expanded="true"
      aria-controls="hits" aria-activedescendant=${hits[selected] ? "hit" + selected : undefined} aria-label="Search"
      placeholder="Name, path, host or operation" value=${query} onKeyDown=${press}
      onInput=${(event) => { setQuery(event.target.value); setSelected(0); }} /></div>
    ${error && html`<${Failure} error=${error} />`}
    <ul id="hits" class="hits" role="listbox" aria-label="Results">${hits.map((entry, index) => html`
      <li id=${"hit" + index} role="option" aria-selected=${index === selected} onClick=${() => open(entry)}>
        <${Icon} name=${entry.icon} /><span class="cut">${entry.text}</span>
        <span class="faint small cut">${entry.where}</span></li>`)}</ul>
    ${query && !hits.length ? html`<p class="muted pad">Nothing matches “${query}”.</p>` : null}</${Dialog}>`;
}

/** The form for the token of the Admin API. */
function Login({ onDone }) {
  const [token, setToken] = useState("");
  const [error, setError] = useState(null);
  const submit = async (event) => {
    event.preventDefault();
    try {
      await logIn(token);
      onDone();
    } catch (failure) {
      setError(failure.status === 401 ? "This is not the token." : failure.message);
    }
  };
  return html`<main class="main login" id="main" tabindex="-1"><form class="card pad stack" onSubmit=${submit}>
    <h1>Log in</h1>
    <p class="muted">This gateway asks for the token of its Admin API (<code>MYNAH_ADMIN_TOKEN</code>). The browser keeps a
      session, not the token.</p>
    <div><label class="label" for="token">Token</label>
      <input class="input mono" id="token" type="password" autocomplete="current-password" autofocus value=${token}
        aria-invalid=${error ? "true" : undefined} aria-describedby="tokenerror"
        onInput=${(event) => setToken(event.target.value)} />
      <p class="fielderr" id="tokenerror" role="alert">${error && html`<${Icon} name="octagon-x" size=${14} />${error}`}</p></div>
    <div class="row"><button class="btn primary" disabled=${!token}>Log in</button></div>
  </form></main>`;
}

/** What `/status` says of the configuration, in the words of the bar. */
function describeFile(status) {
  const configuration = status?.configuration || status?.mynah?.configuration || {};
  return configuration;
}

function FileChip({ status, href }) {
  const config = describeFile(status);
  const errors = config.last_error?.diagnostics?.filter((item) => item.severity === "error").length || 0;
  const isBad = !!config.last_error;
  const name = (config.source || "").split("/").pop() || "kong.yaml";
  const content = html`<span class=${classes(isBad ? "bad" : "ok", "row")}><${Icon} name=${isBad ? "octagon-x" : "circle-check"} /></span>
    <span class="t"><b>${name}</b><span class="faint"> v${config.generation ?? "–"} ${isBad ? "serves" : ""}</span>
    ${isBad && html`<span class="sr">, the last save has ${errors} errors</span>`}</span>`;
  return href ? html`<a class="filechip" href=${href}>${content}</a>` : html`<span class="filechip">${content}</span>`;
}

function Bands({ status, page, path, isUnreachable, whyReadOnly }) {
  const config = describeFile(status);
  const bands = [];
  if (isUnreachable) {
    bands.push(html`<div class="band warn" role="alert"><${Icon} name="wifi-off" /><span class="grow">
      <b>The gateway cannot be reached.</b><span class="muted"> What stands here is what it said last.</span></span></div>`);
  }
  if (config.last_error && path !== "/reloads") {
    const errors = config.last_error.diagnostics?.filter((item) => item.severity === "error").length || 1;
    bands.push(html`<div class="band err" role="alert"><${Icon} name="octagon-x" /><span class="grow">
      <b>The last save has ${errors === 1 ? "an error" : `${errors} errors`}.</b>
      <span class="muted"> Nothing is down: version ${config.generation} keeps serving.</span></span>
      ${page === "manager" && html`<a class="btn sm" href="#/reloads">Show the errors</a>`}</div>`);
  }
  if (whyReadOnly) {
    bands.push(html`<div class="band warn" role="status"><${Icon} name="lock" /><span class="grow"><b>Nothing can be changed here.</b>
      <span class="muted"> ${whyReadOnly}</span></span></div>`);
  }
  return bands;
}

/** The frame around a page's content. `page` is `portal` or `manager`; `children` is a function of page and status. */
export function Shell({ page, search, counts = {}, children }) {
  const { path } = useLocation();
  const [theme, setTheme] = useTheme();
  const [dialog, setDialog] = useState(null);
  const [isMenuOpen, setMenuOpen] = useState(false);
  const [needsLogin, setNeedsLogin] = useState(false);
  const info = useAsync(describePage, []);
  const about = info.value || {};
  const [status, setStatus] = useState(null);
  const [isUnreachable, setUnreachable] = useState(false);
  const isStreamOpen = useIsStreamOpen();
  const mustLogIn = needsLogin || (about.login?.required && !about.login.done && page === "manager");
  const isReady = !!info.value && !mustLogIn;
  const readStatus = () =>
    get(page === "portal" ? "/mynah/apis/status" : "/status").then(
      (value) => { setStatus(value); setUnreachable(false); },
      (error) => setUnreachable(error.status === 0),
    );
  useEffect(() => onLoginNeeded(() => setNeedsLogin(true)), []);
  // Whether the file can be written may change with the configuration.
  useEffect(() => {
    if (status) info.reload();
  }, [status?.configuration?.generation]);
  useEvents("config", readStatus, isReady && (page === "manager" || about.writes || !!about.why_read_only));
  useTimer(readStatus, isStreamOpen ? 30 : 4, isReady);
  useEffect(() => setMenuOpen(false), [path]);
  const turnTheme = () => setTheme(THEMES[theme][0]);
  const keys = { "/": () => setDialog("search"), "?": () => setDialog("keys"), t: turnTheme };
  if (page === "manager") {
    for (const [href, , , key] of NAVIGATION.flatMap(([, entries]) => entries)) {
      if (key) keys["g " + key] = () => (location.hash = href);
    }
  } else {
    keys["g h"] = () => (location.hash = "/");
    keys["g d"] = () => (location.hash = "/deploy");
  }
  useKeys(keys);
  const isCurrent = (href) => (href === "/" ? path === "/" : path.startsWith(href)) ? "page" : undefined;
  const leave = async () => {
    await logOut();
    setNeedsLogin(true);
  };
  const finishLogin = () => {
    setNeedsLogin(false);
    info.reload();
  };
  const link = (name, text) => {
    const href = name === page ? "#/" : about[name];
    return href && html`<a href=${href} aria-current=${name === page ? "true" : undefined}>${text}</a>`;
  };
  return html`
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>To the content</a>
    <header class="bar">
      ${page === "manager" && html`<button class="btn quiet icon only-phone" aria-label="Menu" aria-expanded=${isMenuOpen}
        onClick=${() => setMenuOpen(!isMenuOpen)}><${Icon} name=${isMenuOpen ? "x" : "menu"} /></button>`}
      <a class="brand" href="#/" aria-label="mynah"><${Logo} /><span class="wide-only">mynah</span></a>
      <nav class="apps" aria-label="Pages">${link("portal", "Portal")}${link("manager", "Manager")}</nav>
      <span class="grow"></span>
      <button class="find" onClick=${() => setDialog("search")}><${Icon} name="search" />
        <span>${page === "portal" ? "Search operations" : "Search everything"}</span><kbd aria-hidden="true">/</kbd></button>
      ${status && html`<${FileChip} status=${status} href=${page === "manager" ? "#/reloads" : undefined} />`}
      <button class="btn quiet icon" aria-label=${`Theme: ${theme}`} title=${`Theme: ${theme} (t)`} onClick=${turnTheme}>
        <${Icon} name=${THEMES[theme][1]} /></button>
      <button class="btn quiet icon wide-only" aria-label="Keys" title="Keys (?)" onClick=${() => setDialog("keys")}>
        <${Icon} name="keyboard" /></button>
      ${about.login?.done && html`<button class="btn quiet icon" aria-label="Log out" title="Log out" onClick=${leave}>
        <${Icon} name="power" /></button>`}
    </header>
    ${info.error && html`<div class="pad"><${Failure} error=${info.error} retry=${info.reload} /></div>`}
    ${mustLogIn
      ? html`<${Login} onDone=${finishLogin} />`
      : html`<${Bands} status=${status} page=${page} path=${path} isUnreachable=${isUnreachable} whyReadOnly=${about.why_read_only} />
        <div class=${classes("frame", page === "portal" && "wide", about.writes === false && "ro")}>
          ${page === "manager" && html`<nav class=${classes("side", isMenuOpen && "open")} aria-label="Manager">
            ${NAVIGATION.map(([title, entries]) => html`<h2>${title}</h2>${entries.map(([href, text, icon]) => html`
              <a key=${href} href=${"#" + href} aria-current=${isCurrent(href)}><${Icon} name=${icon} />${text}
                ${counts[href.slice(1)] !== undefined && html`<span class="n">${formatNumber(counts[href.slice(1)])}</span>`}</a>`)}`)}</nav>`}
          <main class="main" id="main" tabindex="-1">${info.value && children({ about, status })}</main>
        </div>`}
    ${dialog === "keys" && html`<${KeyList} page=${page} onClose=${() => setDialog(null)} />`}
    ${dialog === "search" && html`<${Search} load=${search} onClose=${() => setDialog(null)} />`}
    <${Toasts} />`;
}
