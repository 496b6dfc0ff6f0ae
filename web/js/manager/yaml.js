// Values as YAML, to be read by people: the pages never write a file with it.

const PLAIN = /^[A-Za-z_/.~$^][\w ./:$~^-]*$/;
const WORDS = /^(true|false|null|yes|no|on|off|y|n|~)$/i;

const scalar = (value) =>
  typeof value === "string" && PLAIN.test(value) && !WORDS.test(value) && !value.includes(": ") && !value.endsWith(":") && value === value.trim()
    ? value
    : JSON.stringify(value);

const isScalar = (value) => value === null || typeof value !== "object";

/** The lines of a value, each indented by `pad`. */
export function toYaml(value, pad = "") {
  if (Array.isArray(value)) {
    return value.map((item) => (isScalar(item) ? `${pad}- ${scalar(item)}` : `${pad}- ${toYaml(item, pad + "  ").trimStart()}`)).join("\n");
  }
  return Object.entries(value)
    .map(([key, item]) => {
      if (typeof item === "string" && item.includes("\n")) return `${pad}${key}: |\n${item.trimEnd().replace(/^/gm, pad + "  ")}`;
      if (isScalar(item)) return `${pad}${key}: ${scalar(item)}`;
      if (Array.isArray(item) && item.every(isScalar)) return `${pad}${key}: [${item.map(scalar).join(", ")}]`;
      if (!Object.keys(item).length) return `${pad}${key}: ${Array.isArray(item) ? "[]" : "{}"}`;
      return `${pad}${key}:\n${toYaml(item, pad + (Array.isArray(item) ? "" : "  "))}`;
    })
    .join("\n");
}
