// The list of a collection with thousands of entities: the gateway searches, and a page holds only the rows in sight.
import { html, State, SearchField, Failure, useState, useEffect, useAsync, formatNumber, plural } from "../ui.js";
import { get } from "../client.js";
import { COLLECTIONS } from "./collections.js";

/** Rows of a page. */
const PAGE_SIZE = 100;
/** Pause after the last key before the gateway searches. */
const SEARCH_DELAY_MS = 150;

// What is live needs no word, so that the rest is seen.
const STATES = { mocked: ["mock", "Mocked"], off: ["off", "Off"], none: ["idle", "No service"], quarantined: ["quar", "Quarantined"] };

const STATE_FILTERS = [["", "All"], ["mocked", "Mocked"], ["off", "Off"], ["none", "No service"], ["quarantined", "Quarantined"]];

function Cell({ column, value }) {
  if (column === "state") return STATES[value] ? html`<${State} kind=${STATES[value][0]}>${STATES[value][1]}</${State}>` : html`<span class="faint">live</span>`;
  if (value === null || value === undefined || (Array.isArray(value) && !value.length)) return html`<span class="faint">none</span>`;
  if (column === "service") return html`<a href=${`#/services/${encodeURIComponent(value)}`}>${value}</a>`;
  if (!Array.isArray(value)) return String(value);
  const shown = value.slice(0, 4).map((item) => html`<span class=${column === "paths" ? "tag mono" : "tag"}>${String(item)}</span> `);
  return html`${shown}${value.length > 4 && html`<span class="faint">+${value.length - 4}</span>`}`;
}

/** The tags of a collection, as far as one page of the Admin API has them. */
const readTags = (collection) =>
  get("/tags?size=1000").then(({ data }) =>
    [...new Set(data.filter(({ entity_name: name }) => name === collection).map(({ tag }) => tag))].sort());

export function LargeList({ collection, generation }) {
  const { title, word } = COLLECTIONS[collection];
  const [query, setQuery] = useState("");
  const [asked, setAsked] = useState("");
  const [tag, setTag] = useState("");
  const [state, setState] = useState("");
  const [from, setFrom] = useState(0);
  useEffect(() => {
    const timer = setTimeout(setAsked, SEARCH_DELAY_MS, query);
    return () => clearTimeout(timer);
  }, [query]);
  const parameters = new URLSearchParams({ from, count: PAGE_SIZE });
  for (const [name, value] of [["q", asked], ["tag", tag], ["state", state]]) if (value) parameters.set(name, value);
  const { value: page, error, reload } = useAsync(() => get(`/mynah/rows/${collection}?${parameters}`), [collection, parameters.toString(), generation]);
  const { value: tags = [] } = useAsync(() => readTags(collection), [collection]);
  const restart = (set) => (value) => {
    set(value);
    setFrom(0);
  };
  const all = page?.columns || [];
  const columns = all.filter((name) => name !== "id");
  const place = (name) => all.indexOf(name);
  if (error && !page) return html`<${Failure} error=${error} retry=${reload} />`;
  if (!page) return null;
  const end = from + page.rows.length;
  return html`<section class="card">
    <div class="filters"><${SearchField} label=${`Search ${title}`} placeholder="Search names, hosts, paths, ids" value=${query} onChange=${restart(setQuery)} />
      <div class="row scrollchips">${STATE_FILTERS.map(([value, text]) => html`<button class="chip" key=${value} aria-pressed=${state === value} onClick=${() => restart(setState)(value)}>${text}</button>`)}</div>
      ${tags.length > 0 && html`<label class="row small faint">Tag<select class="input" value=${tag} onChange=${(event) => restart(setTag)(event.target.value)}>
        <option value="">any</option>${tags.map((name) => html`<option key=${name}>${name}</option>`)}</select></label>`}</div>
    ${error && html`<div class="pad"><${Failure} error=${error} retry=${reload} /></div>`}
    <div class="tablewrap" tabindex="0" role="region" aria-label=${title}><table class="cards" aria-rowcount=${page.matched}>
      <thead><tr>${columns.map((name) => html`<th scope="col" key=${name}>${name.replaceAll("_", " ")}</th>`)}</tr></thead>
      <tbody>${page.rows.map((row, index) => html`<tr data-row key=${row[place("id")]} aria-rowindex=${from + index + 1}>${columns.map((name, column) => html`
        <td key=${name} class=${["first", "second"][column] || (name === "state" ? "" : "hide")}>${column === 0
          ? html`<a class="name" href=${`#/${collection}/${row[place("id")]}`}>${row[place(name)] || row[place("id")].slice(0, 8)}</a>`
          : html`<${Cell} column=${name} value=${row[place(name)]} />`}</td>`)}</tr>`)}</tbody></table></div>
    <div class="foot" role="status"><span>${page.matched === page.total ? plural(page.total, word) : `${formatNumber(page.matched)} of ${plural(page.total, word)}`}</span>
      <span class="grow"></span>${page.matched > 0 && html`<span>${formatNumber(from + 1)} to ${formatNumber(end)}</span>`}
      <button class="btn sm" disabled=${from === 0} onClick=${() => setFrom(Math.max(0, from - PAGE_SIZE))}>Previous</button>
      <button class="btn sm" disabled=${end >= page.matched} onClick=${() => setFrom(end)}>Next</button></div>
  </section>`;
}
