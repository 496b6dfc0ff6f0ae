// The bar above "Execute": how the mock answers the next request, and the request as a snippet.
import { html, State, CopyButton, classes, useState } from "../ui.js";
import { SNIPPETS } from "./snippets.js";

/** The wishes of each operation, by `GET /path`; they are read when a request leaves. */
const wishes = new Map();

/** The header fields that carry the wishes of an operation to the mock. */
export function wishedHeaders(operation) {
  const { status, example, delay, seed, fault } = wishes.get(operation) || {};
  const headers = {};
  if (status) headers["X-Kong-Mocking-Status-Code"] = status;
  if (example) headers["X-Kong-Mocking-Example-Id"] = example;
  if (delay) headers["X-Kong-Mocking-Delay"] = String(delay);
  if (seed) headers["X-Mynah-Mocking-Seed"] = String(seed);
  if (fault) headers["X-Mynah-Mocking-Fault"] = fault;
  return headers;
}

/** Faults that a request may ask for, with their words. */
const FAULTS = [["none", "none, never"], ["500", "500 Internal Server Error"], ["502", "502 Bad Gateway"], ["503", "503 Service Unavailable"], ["504", "504 Gateway Timeout"], ["429", "429 Too Many Requests"], ["reset", "reset the connection"]];

/** Bar of an operation. `request` returns method, url, headers and body as they stand in the form. */
export function AnswerBar({ operation, state, service, statuses, examples, request }) {
  const [wish, setWish] = useState(wishes.get(operation) || {});
  const [language, setLanguage] = useState(null);
  const change = (part) => {
    const changed = { ...wish, ...part };
    wishes.set(operation, changed);
    setWish(changed);
  };
  const snippet = () => {
    const sent = request();
    return SNIPPETS[language]({ ...sent, headers: { ...sent.headers, ...(state === "mock" ? wishedHeaders(operation) : {}) } });
  };
  const languages = html`<div class="langs"><span class="faint small">Copy as</span>${Object.keys(SNIPPETS).map((name) => html`
      <button type="button" class="btn quiet sm" key=${name} aria-pressed=${language === name}
        onClick=${() => setLanguage(language === name ? null : name)}>${name}</button>`)}</div>
    ${language && html`<div class="snip"><pre class="code" tabindex="0">${snippet()}</pre><${CopyButton} text=${snippet} /></div>`}`;
  if (state !== "mock") {
    const text = {
      live: html`Goes to ${service ? html`<code>${service}</code>` : "the service"}; the mock has no part in it.`,
      quarantined: "The route of this operation is in quarantine: the gateway answers 503.",
      none: "No route leads here: the gateway answers 404.",
    };
    return html`<div class=${classes("answer", state === "live" ? "live" : "none")}>
      <${State} kind=${{ live: "live", quarantined: "quar", none: "idle" }[state]} /><span class="muted">${text[state]}</span>${languages}</div>`;
  }
  const field = (name, text, type, attributes) => html`<label><span>${text}</span>
    <input class="input" type="number" min="0" placeholder="none" value=${wish[name] || ""} ...${attributes}
      onInput=${(event) => change({ [name]: event.target.value })} /></label>`;
  const choice = (name, text, first, options) => html`<label><span>${text}</span>
    <select class="input" value=${wish[name] || ""} onChange=${(event) => change({ [name]: event.target.value })}>
      <option value="">${first}</option>${options.map((option) => { const [value, word] = [option].flat(); return html`<option key=${value} value=${value}>${word ?? value}</option>`; })}</select></label>`;
  return html`<div class="answer" role="group" aria-label="How the mock answers">
    <${State} kind="mock" />
    ${choice("status", "Status", "as written", statuses)}
    ${choice("example", "Example", examples.length ? "the first" : "none named", examples)}
    ${field("delay", "Delay, ms", "number", { max: 10000, step: 50 })}
    ${field("seed", "Seed", "number", {})}
    ${choice("fault", "Fault", "as configured", FAULTS)}
    ${languages}</div>`;
}
