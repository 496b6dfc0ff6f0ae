// A form made of a schema of the Admin API: one control per field, so that a new field needs no code here.
import { html, Icon, Switch, Segments, SearchField, classes, useState, useId } from "../ui.js";

/** Fields that the gateway sets. */
const SET_BY_GATEWAY = new Set(["id", "created_at", "updated_at"]);

/** The fields of a schema in order, with their paths; a record is followed by its fields. */
export function flattenFields(fields, at = []) {
  return fields.flatMap((entry) => {
    const [name, schema] = Object.entries(entry)[0];
    if (!at.length && SET_BY_GATEWAY.has(name)) return [];
    const field = { name, path: [...at, name], schema };
    const isRecord = schema.type === "record" && schema.fields;
    return isRecord ? [{ ...field, isRecord }, ...flattenFields(schema.fields, field.path)] : [field];
  });
}

export const valueAt = (object, path) => path.reduce((value, name) => value?.[name], object);

/** A copy of an object with a value at a path; `undefined` removes it, and records that it leaves empty. */
export function withValue(object, [name, ...rest], value) {
  const copy = { ...object };
  if (rest.length) {
    const inner = withValue(object?.[name] || {}, rest, value);
    if (Object.keys(inner).length) copy[name] = inner;
    else delete copy[name];
  } else if (value === undefined) delete copy[name];
  else copy[name] = value;
  return copy;
}

const isEqual = (one, other) => JSON.stringify(one ?? null) === JSON.stringify(other ?? null);

/** The values of an entity that are not its defaults. */
export function ownValues(fields, entity) {
  let own = {};
  for (const { path, schema, isRecord } of fields) {
    const value = valueAt(entity, path);
    const isDefault = isEqual(value, schema.default) || (Array.isArray(value) && !value.length && !schema.default);
    if (!isRecord && value !== undefined && value !== null && !isDefault) own = withValue(own, path, value);
  }
  return own;
}

function ListInput({ id, value, schema, onChange, describedBy }) {
  const [typed, setTyped] = useState("");
  const items = value || [];
  const choices = schema.elements?.one_of;
  if (choices && choices.length <= 12) {
    const toggle = (choice) => onChange(items.includes(choice) ? items.filter((item) => item !== choice) : [...items, choice]);
    return html`<div class="row wrap choices" role="group" aria-label=${id}>${choices.map((choice) => html`
      <button type="button" class="chip" key=${choice} aria-pressed=${items.includes(choice)} onClick=${() => toggle(choice)}>${String(choice)}</button>`)}</div>`;
  }
  const isNumber = ["integer", "number"].includes(schema.elements?.type);
  const add = () => {
    const text = typed.trim();
    if (text) onChange([...items, isNumber && !Number.isNaN(Number(text)) ? Number(text) : text]);
    setTyped("");
  };
  const press = (event) => {
    if (event.key === "Enter" || event.key === ",") {
      event.preventDefault();
      add();
    } else if (event.key === "Backspace" && !typed) onChange(items.slice(0, -1));
  };
  return html`<div class="chips">${items.map((item, index) => html`<span class="tag" key=${index}>${String(item)}
      <button type="button" aria-label=${`Remove ${item}`} onClick=${() => onChange(items.filter((_, other) => other !== index))}>
        <${Icon} name="x" size=${14} /></button></span>`)}
    <input id=${id} value=${typed} aria-describedby=${describedBy} placeholder=${items.length ? "" : "none"}
      onInput=${(event) => setTyped(event.target.value)} onKeyDown=${press} onBlur=${add} /></div>`;
}

/** A value of any shape as JSON. */
function JsonInput({ id, value, onChange, describedBy }) {
  const [text, setText] = useState(value === undefined ? "" : JSON.stringify(value, null, 2));
  const [isWrong, setWrong] = useState(false);
  const change = (typed) => {
    setText(typed);
    try {
      onChange(typed.trim() ? JSON.parse(typed) : undefined);
      setWrong(false);
    } catch {
      setWrong(true);
    }
  };
  return html`<textarea class="input mono" id=${id} rows="3" placeholder="none, or JSON" aria-invalid=${isWrong ? "true" : undefined}
    aria-describedby=${describedBy} value=${text} onInput=${(event) => change(event.target.value)}></textarea>`;
}

const LONG_TEXTS = /^(api_specification|body|cert|key|cert_alt|key_alt|rsa_public_key|access|certificate|header_filter|rewrite|log)$/;

function Control({ field, id, value, onChange, error, describedBy, references }) {
  const { schema, name, path } = field;
  const label = path.join(".");
  const fallback = schema.default !== undefined && typeof schema.default !== "object" ? String(schema.default) : "";
  const attributes = { id, "aria-describedby": describedBy, "aria-invalid": error ? "true" : undefined };
  if (schema.type === "boolean") {
    if (schema.default === undefined) {
      return html`<${Segments} label=${label} value=${value ?? null} onChange=${(choice) => onChange(choice ?? undefined)}
        options=${[[null, "unset"], [true, "on"], [false, "off"]]} />`;
    }
    const isOn = value ?? schema.default;
    return html`<span class="row"><${Switch} label=${label} on=${isOn} onChange=${onChange} /><span class="muted small">${isOn ? "on" : "off"}</span></span>`;
  }
  if (schema.type === "foreign") {
    const options = references[schema.reference] || [];
    return html`<select class="input" ...${attributes} value=${value?.id ?? ""}
      onChange=${(event) => onChange(event.target.value ? { id: event.target.value } : undefined)}>
      <option value="">none</option>${options.map(([key, text]) => html`<option key=${key} value=${key}>${text}</option>`)}</select>`;
  }
  if (schema.one_of) {
    const number = typeof schema.one_of[0] === "number";
    return html`<select class="input" ...${attributes} value=${String(value ?? schema.default ?? "")}
      onChange=${(event) => onChange(event.target.value === "" ? undefined : number ? Number(event.target.value) : event.target.value)}>
      ${schema.default === undefined && html`<option value="">none</option>`}
      ${schema.one_of.map((option) => html`<option key=${option} value=${String(option)}>${String(option)}</option>`)}</select>`;
  }
  if (["array", "set"].includes(schema.type) && schema.elements?.type !== "record") {
    return html`<${ListInput} id=${id} schema=${schema} describedBy=${describedBy} value=${value}
      onChange=${(items) => onChange(items.length ? items : undefined)} />`;
  }
  if (["map", "array", "set", "record", "json"].includes(schema.type)) {
    return html`<${JsonInput} id=${id} describedBy=${describedBy} value=${value} onChange=${onChange} />`;
  }
  if (["number", "integer"].includes(schema.type)) {
    const change = (text) => onChange(text === "" ? undefined : Number.isNaN(Number(text)) ? text : Number(text));
    return html`<input class="input mono" inputmode="decimal" ...${attributes} placeholder=${fallback || "none"} value=${value ?? ""}
      onInput=${(event) => change(event.target.value.trim())} />`;
  }
  const change = (event) => onChange(event.target.value === "" ? undefined : event.target.value);
  if (LONG_TEXTS.test(name)) {
    return html`<textarea class="input mono" rows="3" ...${attributes} placeholder="none" value=${value ?? ""} onInput=${change}></textarea>`;
  }
  return html`<input class="input" ...${attributes} placeholder=${fallback || "none"} value=${value ?? ""} onInput=${change} spellcheck="false" />`;
}

function Field({ field, value, isSet, error, onChange, references }) {
  const id = useId();
  const { schema, path, name } = field;
  const fallback = schema.default !== undefined && typeof schema.default !== "object" ? `else ${schema.default}` : "";
  const range = schema.between ? `${schema.between[0]} to ${schema.between[1]}` : schema.gt !== undefined ? `more than ${schema.gt}` : "";
  const describedBy = `${id}-hint${error ? ` ${id}-error` : ""}`;
  const isRequired = schema.required && schema.default === undefined;
  return html`<div class=${classes("f", path.length > 1 && "in", isSet && "set")}>
    <label class="name" for=${id}><span>${name.split("_").map((word, index) => html`${index > 0 && html`_<wbr />`}${word}`)}</span>
      ${isRequired && html`<span class="req" title="required">*</span>`}</label>
    <div><div class="ctl"><${Control} field=${field} id=${id} value=${value} onChange=${onChange} error=${error}
          describedBy=${describedBy} references=${references} />
        ${isSet && !isRequired && html`<button type="button" class="btn quiet icon sm" title="Back to the default"
          aria-label=${`Set ${path.join(".")} back to its default`} onClick=${() => onChange(undefined)}><${Icon} name="x" size=${14} /></button>`}</div>
      ${error && html`<p class="fielderr" id=${id + "-error"}><${Icon} name="octagon-x" size=${14} />${error}</p>`}
      <p class="hint" id=${id + "-hint"}>${[schema.description, range, fallback].filter(Boolean).join("; ")}</p></div></div>`;
}

/** The message for a field in Kong's error object. */
export function errorAt(errors, path) {
  const found = valueAt(errors, path);
  if (found === undefined || found === null) return null;
  if (Array.isArray(found)) return found.filter(Boolean).join(", ");
  if (typeof found === "object") {
    const texts = Object.values(found).filter((text) => typeof text === "string");
    return texts.length ? texts.join(", ") : null;
  }
  return String(found);
}

/** The form. `first` names fields that stand above the fold even if they are not set. */
export function SchemaForm({ fields, values, original = {}, errors, onChange, references = {}, first = [] }) {
  const [query, setQuery] = useState("");
  const isUp = ({ path, schema }) =>
    valueAt(values, path) !== undefined || valueAt(original, path) !== undefined ||
    (schema.required && schema.default === undefined) || first.includes(path.join("."));
  const leaves = fields.filter((field) => !field.isRecord);
  const above = leaves.filter(isUp);
  const matches = ({ path, schema }) => !query || `${path.join(".")} ${schema.description || ""}`.toLowerCase().includes(query.toLowerCase());
  const below = leaves.filter((field) => !isUp(field) && matches(field));
  let record = "";
  const draw = (field) => {
    const name = field.path.slice(0, -1).join(".");
    const heading = name !== record && name ? html`<div class="rec" key=${"record " + name}>${name}</div>` : null;
    record = name;
    return html`${heading}<${Field} key=${field.path.join(".")} field=${field} value=${valueAt(values, field.path)}
      isSet=${valueAt(values, field.path) !== undefined} error=${errorAt(errors, field.path)} references=${references}
      onChange=${(value) => onChange(withValue(values, field.path, value))} />`;
  };
  const drawAll = (list) => {
    record = "";
    return list.map(draw);
  };
  return html`${above.length ? drawAll(above) : html`<p class="pad muted">Nothing is set; every field has its default.</p>`}
    ${(below.length > 0 || query) && html`<details open=${!!query || undefined}>
      <summary><${Icon} name="chevron-right" size=${14} />At their defaults<span class="faint">${below.length}</span></summary>
      <div class="filters"><${SearchField} label="Filter fields" placeholder="Filter fields" value=${query} onChange=${setQuery} /></div>
      ${drawAll(below)}</details>`}`;
}
