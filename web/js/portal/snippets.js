// A request as a line for a terminal or a program.

const shellQuote = (text) => `'${String(text).replaceAll("'", `'\\''`)}'`;
const indent = (text, pad) => text.replaceAll("\n", "\n" + pad);

/** Languages, each a function of `{method, url, headers, body}`. */
export const SNIPPETS = {
  curl: ({ method, url, headers, body }) =>
    [
      `curl ${method === "GET" ? "" : `-X ${method} `}${shellQuote(url)}`,
      ...Object.entries(headers).map(([name, value]) => `  -H ${shellQuote(`${name}: ${value}`)}`),
      ...(body ? [`  --data-raw ${shellQuote(body)}`] : []),
    ].join(" \\\n"),
  HTTPie: ({ method, url, headers, body }) =>
    [
      `http ${method} ${shellQuote(url)}`,
      ...Object.entries(headers).map(([name, value]) => `  ${shellQuote(`${name}:${value}`)}`),
      ...(body ? [`  --raw ${shellQuote(body)}`] : []),
    ].join(" \\\n"),
  fetch: ({ method, url, headers, body }) =>
    `await fetch(${JSON.stringify(url)}, {\n  method: ${JSON.stringify(method)},\n  headers: ${indent(JSON.stringify(headers, null, 2), "  ")},\n` +
    `${body ? `  body: ${JSON.stringify(body)},\n` : ""}});`,
  Python: ({ method, url, headers, body }) =>
    `import requests\n\nrequests.request(\n    ${JSON.stringify(method)},\n    ${JSON.stringify(url)},\n    headers=${JSON.stringify(headers)},\n` +
    `${body ? `    data=${JSON.stringify(body)},\n` : ""})`,
};
