// Elements that all pages share. No markup is ever parsed: text is text, and icons are data.
import {
  h, html, render, Fragment, useState, useEffect, useLayoutEffect, useMemo, useRef, useCallback, useId,
} from "../vendor/preact.js";
import icons from "../vendor/icons.js";

export { h, html, render, Fragment, useState, useEffect, useLayoutEffect, useMemo, useRef, useCallback, useId };

/** Class names that are set. */
export const classes = (...names) => names.filter(Boolean).join(" ");

export const formatNumber = (number) => new Intl.NumberFormat("en").format(number);

/** `1 route`, `2 routes`. */
export const plural = (count, word) => `${formatNumber(count)} ${word}${count === 1 ? "" : "s"}`;

export function Icon({ name, size = 16, label }) {
  const attributes = {
    class: classes("i", size !== 16 && "s" + size),
    viewBox: "0 0 24 24",
    "aria-hidden": label ? undefined : "true",
    role: label ? "img" : undefined,
    "aria-label": label,
  };
  return h("svg", attributes, (icons[name] || icons.circle).map(([tag, shape]) => h(tag, shape)));
}

export function Logo() {
  return html`<svg viewBox="0 0 28 28" aria-hidden="true">
    <path d="M3 25C3 12.5 7.6 4.5 14.2 4.5c4.2 0 7.3 2.8 7.3 6.6 0 4-3 7-7 7.6-2.6.4-3.6 2.6-3.6 6.3z" fill="currentColor" />
    <path d="M21 7.6 27.4 11l-6.6 3z" fill="var(--beak)" />
    <path d="M13.6 12.6c2.2-.4 4.3 0 5.8 1.3-1.3 1.5-3.6 2-5.4 1.2-.9-.5-1.1-2-.4-2.5z" fill="var(--beak)" />
    <circle cx="16.6" cy="9.2" r="1.5" fill="var(--surface)" />
  </svg>`;
}

// A state is an icon, a word and an edge; the colour only repeats it.
const STATES = {
  mock: ["bird", "Mocked"],
  live: ["server", "Live"],
  quar: ["shield-alert", "Quarantined"],
  err: ["octagon-x", "Error"],
  warn: ["triangle-alert", "Warning"],
  off: ["circle-slash", "Off"],
  idle: ["circle", "Not served"],
  ok: ["circle-check", "Healthy"],
};

export function State({ kind, children, title }) {
  const [icon, word] = STATES[kind];
  return html`<span class=${classes("state", kind)} title=${title}><${Icon} name=${icon} />${children ?? word}</span>`;
}

const WRITING_METHODS = new Set(["POST", "PUT", "PATCH"]);

export const Method = ({ name }) => {
  const kind = WRITING_METHODS.has(name) ? "writes" : name === "DELETE" ? "kills" : "";
  return html`<span class=${classes("meth", kind)}>${name}</span>`;
};

export function Switch({ on, onChange, label, disabled }) {
  return html`<button type="button" class="switch" role="switch" aria-checked=${String(!!on)} aria-label=${label}
    disabled=${disabled} onClick=${() => onChange(!on)}></button>`;
}

/** A choice of few values: `options` are pairs of value and text. */
export function Segments({ value, options, onChange, label }) {
  const id = useId();
  return html`<div class="seg" role="radiogroup" aria-label=${label}>
    ${options.map(([option, text]) => html`<label key=${String(option)}>
      <input type="radio" name=${id} checked=${option === value} onChange=${() => onChange(option)} />${text}</label>`)}
  </div>`;
}

export function SearchField({ value, onChange, label, placeholder = "Search" }) {
  return html`<div class="withicon"><${Icon} name="search" />
    <input class="input" type="search" aria-label=${label} placeholder=${placeholder} value=${value}
      onInput=${(event) => onChange(event.target.value)} /></div>`;
}

export function Dialog({ title, subtitle, onClose, footer, children }) {
  const dialog = useRef();
  const id = useId();
  useEffect(() => {
    if (!dialog.current.open) dialog.current.showModal();
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog ref=${dialog} aria-labelledby=${id} onCancel=${cancel}
    onClick=${(event) => event.target === dialog.current && onClose()}>
    <header><div><h2 id=${id}>${title}</h2>${subtitle && html`<p>${subtitle}</p>`}</div>
      <button class="btn quiet icon sm" aria-label="Close" onClick=${onClose}><${Icon} name="x" /></button></header>
    <div class="body" tabindex="0" role="region" aria-labelledby=${id}>${children}</div>
    ${footer && html`<footer>${footer}</footer>`}
  </dialog>`;
}

let addToast = () => {};

/** Shows a message for some seconds; `action` is a pair of text and function. */
export const toast = (text, action) => addToast({ text, action, id: Math.random() });

export function Toasts() {
  const [toasts, setToasts] = useState([]);
  const remove = (toast) => setToasts((list) => list.filter((other) => other !== toast));
  addToast = (toast) => {
    setToasts((list) => [...list.slice(-2), toast]);
    setTimeout(remove, 8000, toast);
  };
  return html`<div class="toasts" role="status" aria-live="polite">${toasts.map((toast) => html`
    <div class="toast" key=${toast.id}><${Icon} name="circle-check" /><span>${toast.text}</span>
      ${toast.action && html`<button onClick=${() => { remove(toast); toast.action[1](); }}>${toast.action[0]}</button>`}
    </div>`)}</div>`;
}

export function CopyButton({ text, label = "Copy" }) {
  const [isDone, setDone] = useState(false);
  const copy = () => {
    navigator.clipboard?.writeText(text());
    setDone(true);
    setTimeout(setDone, 1500, false);
  };
  return html`<button class="btn quiet sm" onClick=${copy}>
    <${Icon} name=${isDone ? "check" : "copy"} size=${14} />${isDone ? "Copied" : label}</button>`;
}

/** A finding as `mynah check` draws it. Without the lines of the file, its place and message stand alone. */
export function Diagnostic({ diagnostic }) {
  const { severity, message, file, line, column, path, help, source = [], length = 1 } = diagnostic;
  const lines = source.map(({ line: number, text }) => {
    if (number !== line) return html`<span class="g">${number}</span>${text}${"\n"}`;
    const start = Math.min(column - 1, text.length);
    return html`<span class="g">${number}</span>${text.slice(0, start)}<span class="hit">${text.slice(start, start + length)}</span>${text.slice(start + length)}${"\n"}
      <span class="g"></span>${" ".repeat(start)}<span class="mark">${"^".repeat(Math.max(1, Math.min(length, text.length - start)))} ${path}</span>${"\n"}`;
  });
  return html`<div class=${classes("diag", severity)} role="group" aria-label=${`${severity} at ${line}:${column}: ${message}`}>
    <header><${Icon} name=${severity === "error" ? "octagon-x" : "triangle-alert"} size=${14} /><b>${severity}</b><span>${message}</span>
      <span class="at">${file}:${line}:${column}</span></header>
    ${lines.length > 0 ? html`<pre tabindex="0">${lines}</pre>` : path && html`<pre tabindex="0"> ${path}</pre>`}
    ${help && html`<footer><${Icon} name="lightbulb" size=${14} /><span class="muted">${help}</span></footer>`}</div>`;
}

/** What stands in place of a page or a card that cannot be shown. */
export function Failure({ error, retry }) {
  return html`<div class="note err" role="alert"><${Icon} name="octagon-x" />
    <div><b>This cannot be shown.</b> ${error.message}</div>
    ${retry && html`<button class="btn sm" onClick=${retry}><${Icon} name="refresh-cw" size=${14} />Try again</button>`}</div>`;
}

/** The value that an asynchronous function returns, read again when `inputs` change: `{value, error, reload}`. */
export function useAsync(read, inputs) {
  const [state, setState] = useState({});
  const [round, setRound] = useState(0);
  useEffect(() => {
    let isCurrent = true;
    read().then(
      (value) => isCurrent && setState({ value }),
      (error) => isCurrent && setState((old) => ({ ...old, error })),
    );
    return () => {
      isCurrent = false;
    };
  }, [...inputs, round]);
  return { ...state, reload: () => setRound((number) => number + 1) };
}

/** The place within a page: path and query behind `#`. */
export function useLocation() {
  const read = () => location.hash.slice(1) || "/";
  const [place, setPlace] = useState(read());
  useEffect(() => {
    const follow = () => setPlace(read());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  const [path, query] = place.split("?");
  return { path, query: new URLSearchParams(query || "") };
}

export function useTheme() {
  const [theme, setTheme] = useState(document.documentElement.dataset.theme || "auto");
  const choose = (choice) => {
    setTheme(choice);
    if (choice === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
    try {
      if (choice === "auto") localStorage.removeItem("mynah.theme");
      else localStorage.setItem("mynah.theme", choice);
    } catch {
      // Storage is switched off; the theme lasts as long as the page.
    }
    dispatchEvent(new Event("themechange"));
  };
  return [theme, choose];
}

/** Colours of tokens as the browser resolves them now, for canvases. */
export function tokenColours(names) {
  const probe = document.createElement("i");
  document.body.append(probe);
  const colours = {};
  for (const name of names) {
    probe.style.color = `var(--${name})`;
    colours[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return colours;
}

/** Keys of a page, such as `t` or `g r`. They are still in fields and while a dialog is open. */
export function useKeys(actions) {
  useEffect(() => {
    let lead = "";
    let timer;
    const press = (event) => {
      const target = event.composedPath()[0];
      const isTyping = target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping || document.querySelector("dialog[open]")) return;
      const action = actions[lead + event.key];
      if (action) {
        event.preventDefault();
        action();
        lead = "";
      } else if (Object.keys(actions).some((key) => key.startsWith(event.key + " "))) {
        lead = event.key + " ";
        clearTimeout(timer);
        timer = setTimeout(() => (lead = ""), 900);
      } else lead = "";
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });
}
