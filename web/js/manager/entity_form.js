// The page of an entity: a form made of its schema beside what it says, its children, and the review before a write.
import {
  html, Icon, State, Switch, Dialog, Failure, useState, useEffect, useRef, useAsync, plural,
} from "../ui.js";
import { get, list, write } from "../client.js";
import { COLLECTIONS, entityName, pluginScope } from "./collections.js";
import { SchemaForm, flattenFields, ownValues, valueAt } from "./schema_form.js";
import { toYaml } from "./yaml.js";
import { WriteDialog, Refusal } from "../write_dialog.js";

/** Fields that stand above the fold of a new entity. */
const FIRST_FIELDS = {
  services: ["name", "url", "host", "port", "path"],
  routes: ["name", "service", "paths", "hosts", "methods"],
  consumers: ["username", "custom_id"],
  upstreams: ["name", "algorithm"],
  plugins: ["route", "service", "consumer"],
  snis: ["name", "certificate"],
  certificates: ["cert", "key"],
};

/** The fields of a collection; those of a plugin's settings stand below `config`. */
async function loadFields(collection, pluginName) {
  const { fields } = await get(`/schemas/${collection}`);
  if (collection !== "plugins") return flattenFields(fields);
  const schema = await get(`/schemas/plugins/${encodeURIComponent(pluginName)}`);
  const config = schema.fields.find((field) => field.config);
  const own = fields.filter((field) => !["config", "name", "enabled"].includes(Object.keys(field)[0]));
  return flattenFields([config, ...own]);
}

/** Names of the entities that the fields refer to. */
async function loadReferences(fields) {
  const collections = new Set(fields.filter(({ schema }) => schema.type === "foreign").map(({ schema }) => schema.reference));
  const entries = [...collections].map(async (collection) => {
    const entities = await list(collection).catch(() => []);
    return [collection, entities.map((entity) => [entity.id, entityName(entity)])];
  });
  return Object.fromEntries(await Promise.all(entries));
}

const isEqual = (one, other) => JSON.stringify(one ?? null) === JSON.stringify(other ?? null);

/** What is sent to change an entity: changed fields, with null for those that are taken out. */
function changedValues(before, after) {
  const changed = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (isEqual(before[name], after[name])) continue;
    const areRecords = [before[name], after[name]].every((value) => value && typeof value === "object" && !Array.isArray(value) && !value.id);
    changed[name] = areRecords ? changedValues(before[name], after[name]) : after[name] ?? null;
  }
  return changed;
}

/** The entities of a collection below an entity, such as the targets of an upstream. */
function Children({ collection, id, child, canWrite }) {
  const base = `/${collection}/${id}/${child.path}`;
  const read = async () => {
    if (child.path !== "targets") return (await get(`${base}?size=1000`)).data;
    const [targets, health] = await Promise.all([get(`${base}?size=1000`), get(`/upstreams/${id}/health`)]);
    const states = new Map(health.data.map((target) => [target.id, target.health]));
    return targets.data.map((target) => ({ ...target, health: states.get(target.id) }));
  };
  const { value: rows, error, reload } = useAsync(read, [id]);
  const [isAdding, setAdding] = useState(false);
  const [removed, setRemoved] = useState(null);
  const rowName = (row) => entityName({ name: row.group || row.key, ...row });
  const healthStates = { HEALTHY: ["ok", "Healthy"], UNHEALTHY: ["err", "Unhealthy"], DNS_ERROR: ["err", "No address"], HEALTHCHECKS_OFF: ["idle", "Not checked"] };
  const cell = (row, name) => {
    if (name === "health") {
      const [kind, word] = healthStates[row.health] || ["idle", "Unknown"];
      return html`<${State} kind=${kind}>${word}</${State}>`;
    }
    const value = row[name];
    if (Array.isArray(value)) return value.map((item) => html`<span class="tag">${item}</span> `);
    return value === null || value === undefined ? html`<span class="faint">none</span>` : html`<span class="mono">${String(value)}</span>`;
  };
  return html`<section class="card"><header><h2>${child.title}</h2>
      ${canWrite && html`<button class="btn sm write" onClick=${() => setAdding(true)}><${Icon} name="plus" size=${14} />Add</button>`}</header>
    ${error && html`<div class="pad"><${Failure} error=${error} retry=${reload} /></div>`}
    ${rows && !rows.length ? html`<p class="pad muted">None yet.</p>` : null}
    ${rows?.length ? html`<div class="tablewrap" tabindex="0" role="region" aria-label=${child.title}><table>
      <thead><tr>${child.columns.map((name) => html`<th scope="col">${name}</th>`)}<th><span class="sr">Remove</span></th></tr></thead>
      <tbody>${rows.map((row) => html`<tr data-row key=${row.id}>${child.columns.map((name) => html`<td>${cell(row, name)}</td>`)}
        <td class="num">${canWrite && html`<button class="btn quiet icon sm write" aria-label=${`Remove ${rowName(row)}`} onClick=${() => setRemoved(row)}><${Icon} name="trash" size=${14} /></button>`}</td></tr>`)}</tbody>
    </table></div>` : null}
    ${isAdding && html`<${ChildDialog} base=${base} child=${child} onClose=${() => setAdding(false)} onDone=${() => { setAdding(false); reload(); }} />`}
    ${removed && html`<${WriteDialog} title=${`Remove ${rowName(removed)}`} method="DELETE" path=${`${base}/${removed.id}`}
      done=${`${rowName(removed)} is removed.`} onClose=${() => setRemoved(null)} onDone=${() => { setRemoved(null); reload(); }} />`}</section>`;
}

function ChildDialog({ base, child, onClose, onDone }) {
  const { value: fields } = useAsync(() => get(`/schemas/${child.schema}`).then((schema) => flattenFields(schema.fields)), []);
  const [values, setValues] = useState({});
  const [error, setError] = useState(null);
  const [isReviewing, setReviewing] = useState(false);
  const review = async () => {
    try {
      await write("POST", `${base}?dry_run=true`, values);
      setReviewing(true);
    } catch (failure) {
      setError(failure);
    }
  };
  if (isReviewing) {
    return html`<${WriteDialog} title=${`Add to ${child.title}`} method="POST" path=${base} value=${values} done="It is written."
      onClose=${() => setReviewing(false)} onDone=${onDone} />`;
  }
  const own = (fields || []).filter(({ schema }) => schema.type !== "foreign");
  const general = error && !Object.keys(error.fields).length ? error : null;
  return html`<${Dialog} title=${`Add to ${child.title}`} onClose=${onClose}
    footer=${html`<span class="grow"></span><button class="btn" onClick=${onClose}>Cancel</button>
      <button class="btn primary" onClick=${review}><${Icon} name="git-compare" />Review the change</button>`}>
    ${general && html`<${Refusal} error=${general} />`}
    ${fields && html`<div class="form card"><${SchemaForm} fields=${own} values=${values} errors=${error?.fields || {}}
      first=${child.columns} onChange=${setValues} /></div>`}</${Dialog}>`;
}

/** Choice of the plugin for a new entity. */
function PluginChoice() {
  const { value, error } = useAsync(() => get("/"), []);
  const names = Object.entries(value?.plugins.available_on_server || {}).sort(([, one], [, other]) => other.priority - one.priority);
  return html`<div class="head"><div><p class="crumb"><a href="#/plugins">Plugins</a><${Icon} name="chevron-right" size=${14} /><span>New</span></p>
    <h1>New plugin</h1><p>In the order in which they run.</p></div></div>${error && html`<${Failure} error=${error} />`}
    <div class="choicegrid">${names.map(([name]) => html`<a class="card pad row" key=${name} href=${`#/plugins/new?name=${name}`}>
      <${Icon} name=${name === "mocking" ? "bird" : "puzzle"} /><span class="mono">${name}</span></a>`)}</div>`;
}

async function loadEntity(collection, id, pluginName) {
  const entity = id === "new" ? (collection === "plugins" ? { name: pluginName, enabled: true, config: {} } : {}) : await get(`/${collection}/${id}`);
  const fields = await loadFields(collection, entity.name);
  const references = await loadReferences(fields);
  return { entity, fields, references };
}

export function EntityForm({ collection, id, query, about, generation }) {
  const isNew = id === "new";
  const pluginName = query.get("name");
  if (collection === "plugins" && isNew && !pluginName) return html`<${PluginChoice} />`;
  return html`<${LoadedForm} key=${`${id} ${pluginName}`} collection=${collection} id=${id} isNew=${isNew} pluginName=${pluginName} about=${about} generation=${generation} />`;
}

/** The lines of an entity as they stand in the file, comments included. */
function SourceLines({ source }) {
  const lines = source.text.replace(/\n$/, "").split("\n");
  return html`<pre class="code plain source" tabindex="0" role="region" aria-label=${`Lines in ${source.file}`}>${lines.map((line, index) => html`
    <span class="l" key=${index}><span class="g" aria-hidden="true">${source.first_line + index}</span>${line}${"\n"}</span>`)}</pre>`;
}

function LoadedForm({ collection, id, isNew, pluginName, about, generation }) {
  const { word, title, children = [] } = COLLECTIONS[collection];
  const { value, error, reload } = useAsync(() => loadEntity(collection, id, pluginName), [collection, id]);
  const [values, setValues] = useState({});
  const [original, setOriginal] = useState({});
  const [isOn, setOn] = useState(true);
  const [errors, setErrors] = useState({});
  const [isReviewing, setReviewing] = useState(false);
  // What is made by another line of the file, such as a default of all entities, has no lines of its own.
  const { value: source } = useAsync(
    () => (isNew ? Promise.resolve(null) : get(`/mynah/source/${collection}/${id}`).catch(() => null)),
    [collection, id, value],
  );
  const [isRemoving, setRemoving] = useState(false);
  const [isOutdated, setOutdated] = useState(false);
  const shown = useRef(generation);
  const isPlugin = collection === "plugins";
  useEffect(() => {
    if (!value) return;
    const own = ownValues(value.fields, value.entity);
    setValues(own);
    setOriginal(isNew ? {} : own);
    setOn(value.entity.enabled ?? true);
    setErrors({});
    setOutdated(false);
  }, [value]);
  const { entity = {}, fields = [], references = {} } = value || {};
  const whole = (own, on) => (isPlugin ? { name: entity.name, ...(on ? {} : { enabled: false }), ...own } : own);
  const isDirty = !!value && (isNew || !isEqual(values, original) || (isPlugin && isOn !== entity.enabled));
  // Another configuration: an untouched form follows it, a changed one says so.
  useEffect(() => {
    if (!value || generation === undefined || generation === shown.current) return;
    shown.current = generation;
    if (isDirty) setOutdated(!isNew);
    else reload();
  }, [generation, value]);
  // The Admin API judges while a person types, as it would judge the write.
  useEffect(() => {
    if (!value || !isDirty || (isNew && !Object.keys(values).length)) return setErrors({});
    const timer = setTimeout(() => {
      write("POST", `/schemas/${collection}/validate`, whole(values, isOn)).then(() => setErrors({}), (refusal) => setErrors(refusal.fields || {}));
    }, 250);
    return () => clearTimeout(timer);
  }, [values, isOn, value]);
  if (error?.status === 404) {
    return html`<div class="empty"><${Icon} name=${COLLECTIONS[collection].icon} size=${28} /><h1>There is no such ${word}</h1>
      <p>It may have been taken out of the configuration.</p><a class="btn" href=${"#/" + collection}>All ${title}</a></div>`;
  }
  if (error) return html`<${Failure} error=${error} retry=${reload} />`;
  if (!value) return html`<div class="head"><h1><span class="skel"></span></h1></div>`;
  const changedFields = () => {
    const changed = changedValues(original, values);
    if (isPlugin && isOn !== entity.enabled) changed.enabled = isOn;
    return changed;
  };
  const finishWrite = (answer) => {
    setReviewing(false);
    if (isNew) location.hash = `/${collection}/${answer.id}`;
    else reload();
  };
  const leave = () => {
    location.hash = "/" + collection;
  };
  const name = isNew ? `New ${isPlugin ? entity.name : word}` : entityName(entity);
  // People read names, not ids.
  const named = (own) => Object.fromEntries(Object.entries(own).map(([key, item]) => {
    const schema = fields.find(({ path }) => path.join(".") === key)?.schema;
    const known = item?.id && (references[schema?.reference] || []).find(([reference]) => reference === item.id);
    return [key, known ? { name: known[1] } : item];
  }));
  const text = (own, on) => toYaml(named(whole(own, on)));
  const general = [...(errors["@entity"] || []), ...Object.entries(errors).filter(([key, message]) => typeof message === "string" && !fields.some(({ path }) => path.join(".") === key)).map(([key, message]) => `${key}: ${message}`)];
  const hasErrors = Object.keys(errors).length > 0;
  const scope = isPlugin && pluginScope(entity);
  const ownCount = fields.filter(({ path, isRecord }) => !isRecord && valueAt(values, path) !== undefined).length;
  return html`
    <div class="head"><div><p class="crumb"><a href=${"#/" + collection}>${title}</a><${Icon} name="chevron-right" size=${14} /><span>${name}</span></p>
        <h1>${name}</h1>
        ${scope && html`<p class="row"><${Icon} name=${COLLECTIONS[scope[0]].icon} size=${14} />on ${COLLECTIONS[scope[0]].word} <a href=${`#/${scope[0]}/${scope[1]}`}>${(references[scope[0]] || []).find(([key]) => key === scope[1])?.[1] || scope[1]}</a></p>`}</div>
      ${isPlugin && html`<label class="row"><span class="muted small">${isOn ? "on" : "off"}</span><${Switch} label=${`${entity.name} is on`} on=${isOn} disabled=${!about.writes} onChange=${setOn} /></label>`}
      ${collection === "routes" && !isNew && html`<a class="btn" href=${`#/plugins?route=${id}`}><${Icon} name="puzzle" />Plugins</a>`}
      ${!isNew && about.writes && html`<button class="btn danger write" onClick=${() => setRemoving(true)}><${Icon} name="trash" />Delete</button>`}</div>
    ${isPlugin && entity.name === "mocking" && isOn && html`<div class="note mock"><${Icon} name="bird" /><div><b>Its requests do not reach the service.</b> The answers come from ${values.config?.api_specification_filename ? html`<code>${values.config.api_specification_filename}</code>` : "the document below"}. Switch the plugin off, and they go to the service again.</div></div>`}
    ${isOutdated && html`<div class="note warn"><${Icon} name="refresh-cw" /><div><b>The configuration has changed since this form was opened.</b> A write keeps what others have changed, except in the fields that are changed here.</div>
      <button class="btn sm" onClick=${reload}>Discard and load again</button></div>`}
    ${general.length > 0 && html`<div class="note err" role="alert"><${Icon} name="octagon-x" /><div>${general.map((message) => html`<p>${message}</p>`)}</div></div>`}
    <div class="beside"><div class="stack">
      <form class="card form" onSubmit=${(event) => event.preventDefault()}><header><h2>Set here</h2><span class="small faint">${plural(ownCount, "field")}</span></header>
        <${SchemaForm} fields=${fields} values=${values} original=${original} errors=${errors} references=${references}
          first=${isNew ? FIRST_FIELDS[collection] : []} onChange=${setValues} /></form>
      ${!isNew && children.map((child) => html`<${Children} key=${child.path} collection=${collection} id=${id} child=${child} canWrite=${about.writes} />`)}
      ${isDirty && about.writes && (!isNew || isPlugin || ownCount > 0) && html`<div class="savebar"><${State} kind=${hasErrors ? "err" : "warn"}>${hasErrors ? "Cannot be written yet" : "Not written yet"}</${State}>
        <span class="grow"></span>
        <button class="btn" onClick=${() => { setValues(original); setOn(entity.enabled ?? true); }}>Discard</button>
        <button class="btn primary" disabled=${hasErrors} onClick=${() => setReviewing(true)}><${Icon} name="git-compare" />Review the change</button></div>`}</div>
      <section class="card yamlcard">${source && !isDirty
        ? html`<header><h2>In the file</h2><span class="small faint mono">${source.file}:${source.first_line}</span></header><${SourceLines} source=${source} />`
        : html`<header><h2>As YAML</h2></header><pre class="code plain" tabindex="0">${text(values, isOn) || "# nothing is set"}</pre>`}</section></div>
    ${isReviewing && html`<${WriteDialog} title=${isNew ? name : `Change ${name}`} method=${isNew ? "POST" : "PATCH"}
      path=${isNew ? `/${collection}` : `/${collection}/${id}`} value=${isNew ? whole(values, isOn) : changedFields()} done=${`${name} is written.`}
      onClose=${() => setReviewing(false)} onDone=${finishWrite} onUndone=${isNew ? leave : reload} />`}
    ${isRemoving && html`<${WriteDialog} title=${`Delete ${name}`} method="DELETE" path=${`/${collection}/${id}`} done=${`${name} is removed.`}
      onClose=${() => setRemoving(false)} onDone=${leave} onUndone=${() => { location.hash = `/${collection}/${id}`; }} />`}`;
}
