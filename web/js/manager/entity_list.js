// The list of a collection: search, tags, columns; for plugins also their order and a switch for each.
import {
  html, Icon, Switch, SearchField, Failure, useState, useAsync, plural, formatNumber,
} from "../ui.js";
import { get, list } from "../client.js";
import { WriteDialog } from "../write_dialog.js";
import { COLLECTIONS, entityName, pluginScope } from "./collections.js";
import { LargeList } from "./large_list.js";

/** Rows that are drawn at a time. */
const PAGE_SIZE = 100;
/** Entities beyond which the gateway searches, and not the page. */
const MOST_LOADED = 1000;

const none = () => html`<span class="faint">none</span>`;

function Cell({ row, column, names, onSwitch, canWrite }) {
  const value = row[column];
  if (column === "enabled") {
    return html`<${Switch} label=${`${row.name} is on`} on=${value} disabled=${!canWrite} onChange=${(on) => onSwitch(row, on)} />`;
  }
  if (column === "scope") {
    const scope = pluginScope(row);
    if (!scope) return html`<span class="row muted"><${Icon} name="globe" size=${14} />all requests</span>`;
    return html`<span class="row muted"><${Icon} name=${COLLECTIONS[scope[0]].icon} size=${14} />
      <a href=${`#/${scope[0]}/${scope[1]}`}>${names.get(scope[1]) || scope[1].slice(0, 8)}</a></span>`;
  }
  if (value && typeof value === "object" && value.id) {
    return html`<a href=${`#/${column}s/${value.id}`}>${names.get(value.id) || value.id.slice(0, 8)}</a>`;
  }
  if (Array.isArray(value)) {
    if (!value.length) return none();
    const shown = value.slice(0, 4).map((item) => html`<span class=${column === "paths" ? "tag mono" : "tag"}>${String(item)}</span> `);
    return html`${shown}${value.length > 4 && html`<span class="faint">+${value.length - 4}</span>`}`;
  }
  if (value === null || value === undefined) return none();
  return String(value);
}

async function load(collection) {
  // Plugins stand in the order in which they run, which rows do not have.
  const { total } = await get(`/mynah/rows/${collection}?count=1`);
  if (total > MOST_LOADED && collection !== "plugins") return { isLarge: true, rows: [], names: new Map() };
  const rows = await list(collection);
  const names = new Map();
  const referred = { routes: ["services"], plugins: ["services", "routes", "consumers"], snis: [] }[collection] || [];
  for (const other of referred) for (const entity of await list(other)) names.set(entity.id, entityName(entity));
  if (collection === "plugins") {
    const { plugins } = await get("/");
    const priority = (plugin) => plugins.available_on_server[plugin.name]?.priority ?? 0;
    rows.sort((one, other) => priority(other) - priority(one));
  }
  return { rows, names };
}

export function EntityList({ collection, about, generation }) {
  const { title, word, about: text, icon, columns } = COLLECTIONS[collection];
  const { value, error, reload } = useAsync(() => load(collection), [collection, generation]);
  const [query, setQuery] = useState("");
  const [tag, setTag] = useState("");
  const [from, setFrom] = useState(0);
  const [switching, setSwitching] = useState(null);
  const rows = value?.rows || [];
  const names = value?.names || new Map();
  const tags = [...new Set(rows.flatMap((row) => row.tags || []))].sort();
  const searchable = (row) => {
    const scope = pluginScope(row);
    const cells = columns.map((name) => JSON.stringify(row[name] ?? ""));
    return [...cells, row.id, scope ? names.get(scope[1]) : "", row.service ? names.get(row.service.id) : ""].join(" ").toLowerCase();
  };
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = rows.filter((row) => (!tag || (row.tags || []).includes(tag)) && words.every((part) => searchable(row).includes(part)));
  const page = shown.slice(from, from + PAGE_SIZE);
  const search = (text) => {
    setQuery(text);
    setFrom(0);
  };
  const create = about.writes && html`<a class="btn primary write" href=${`#/${collection}/new`}><${Icon} name="plus" />New ${word}</a>`;
  return html`<div class="head"><div><h1>${title}</h1><p>${text}</p></div>${(rows.length > 0 || value?.isLarge) && create}</div>
    ${error && html`<${Failure} error=${error} retry=${reload} />`}
    ${value?.isLarge && html`<${LargeList} collection=${collection} generation=${generation} />`}
    ${value && !value.isLarge && !rows.length && html`<div class="empty"><${Icon} name=${icon} size=${28} /><h2>No ${word} yet</h2><p>${text}</p>${create}</div>`}
    ${rows.length > 0 && html`<section class="card">
      <div class="filters"><${SearchField} label=${`Search ${title}`} placeholder="Search names, hosts, paths, tags" value=${query} onChange=${search} />
        ${tags.length > 0 && html`<label class="row small faint">Tag<select class="input" value=${tag} onChange=${(event) => setTag(event.target.value)}>
          <option value="">any</option>${tags.map((name) => html`<option key=${name}>${name}</option>`)}</select></label>`}</div>
      <div class="tablewrap" tabindex="0" role="region" aria-label=${title}><table class="cards">
        <thead><tr>${columns.map((name) => html`<th scope="col" key=${name}>${{ enabled: "On" }[name] || name.replaceAll("_", " ")}</th>`)}</tr></thead>
        <tbody>${page.map((row) => html`<tr data-row key=${row.id}>${columns.map((name, index) => html`
          <td key=${name} class=${name === "enabled" ? "" : ["first", "second"][index] || "hide"}>${index === 0
            ? html`<a class="name" href=${`#/${collection}/${row.id}`}>${entityName(row)}</a>`
            : html`<${Cell} row=${row} column=${name} names=${names} canWrite=${about.writes}
                onSwitch=${(plugin, on) => setSwitching({ plugin, on })} />`}</td>`)}</tr>`)}</tbody></table></div>
      <div class="foot" role="status"><span>${shown.length === rows.length ? plural(rows.length, word) : `${formatNumber(shown.length)} of ${plural(rows.length, word)}`}</span>
        <span class="grow"></span>${shown.length > PAGE_SIZE && html`<span>${formatNumber(from + 1)} to ${formatNumber(Math.min(from + PAGE_SIZE, shown.length))}</span>
          <button class="btn sm" disabled=${from === 0} onClick=${() => setFrom(from - PAGE_SIZE)}>Previous</button>
          <button class="btn sm" disabled=${from + PAGE_SIZE >= shown.length} onClick=${() => setFrom(from + PAGE_SIZE)}>Next</button>`}</div>
    </section>`}
    ${switching && html`<${WriteDialog} title=${`Switch ${switching.plugin.name} ${switching.on ? "on" : "off"}`}
      method="PATCH" path=${`/plugins/${switching.plugin.id}`} value=${{ enabled: switching.on }}
      done=${`${switching.plugin.name} is ${switching.on ? "on" : "off"}.`} onClose=${() => setSwitching(null)}
      onDone=${() => { setSwitching(null); reload(); }} />`}`;
}
