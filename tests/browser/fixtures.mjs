// Texts that the gateways of the cases start with.
import { readFileSync } from "node:fs";

const read = (name) => readFileSync(new URL(`fixtures/${name}`, import.meta.url), "utf8");
const block = (text) => "|\n" + text.trimEnd().replace(/^/gm, "    ");

const certificates = `
certificates:
- cert: ${block(read("certificate.pem"))}
  key: ${block(read("key.pem"))}
  tags: [shop]
  snis:
  - name: shop.example

ca_certificates:
- cert: ${block(read("authority.pem"))}
  tags: [shop]
`;

/** A configuration with entities of all kinds, and two documents of which one is served. */
export const shop = () => ({
  "kong.yaml": read("kong.yaml") + certificates,
  "specs/stock-0.1.json": read("stock-0.1.json"),
  "specs/loyalty.yaml": read("loyalty.yaml"),
});

/** A configuration with as many routes as given, of ten services. */
export function manyRoutes(count) {
  const services = Array.from({ length: 10 }, (_, service) => {
    const routes = Array.from({ length: count / 10 }, (_, index) => {
      const number = service * (count / 10) + index;
      return `  - {name: route-${number}, paths: [/area-${service}/${number}], hosts: [h${number % 50}.example], tags: [team-${number % 7}]}\n`;
    });
    return `- name: service-${service}\n  host: s${service}.example\n  routes:\n${routes.join("")}`;
  });
  return { "kong.yaml": `_format_version: "3.0"\nservices:\n${services.join("")}` };
}

/** Markup that reports to a server or opens a dialog wherever it is parsed or followed. */
const attack = (evil) =>
  `<img src=${evil}/image onerror=alert(1)><script src=${evil}/script></script><script>alert(2)</script>` +
  `[l](javascript:alert(3)) ![i](${evil}/markdown) <svg/onload=alert(4)> <style>*{display:none!important}@import "${evil}/style"</style>` +
  `<iframe srcdoc="<script>alert(5)</script>"></iframe><object data=${evil}/object></object><form action=${evil}/form><input name=hostile></form>` +
  `<a href="javascript:alert(6)">a</a><base href=${evil}/base/><meta http-equiv=refresh content="0;url=${evil}/meta">`;

/** A page without any protection that contains the markup. */
export const unprotectedPage = (evil) => `<!doctype html><title>unprotected</title>${attack(evil).replace(/<meta.*?>/, "")}`;

/** Documents of both formats with markup in every text, served by a mock, and a configuration with markup in its texts. */
export function hostile(evil) {
  const text = attack(evil);
  const link = "javascript:alert(7)";
  const info = { title: text, description: text, version: text, termsOfService: link, contact: { name: text, url: link, email: text }, license: { name: text, url: link } };
  const externalDocs = { url: link, description: text };
  const common = { summary: text, description: text, operationId: text, tags: [text], externalDocs };
  const tags = [{ name: text, description: text, externalDocs }];
  const old = {
    swagger: "2.0", info, tags, externalDocs, basePath: "/",
    securityDefinitions: { [text]: { type: "oauth2", flow: "implicit", description: text, authorizationUrl: link, scopes: { [text]: text } } },
    paths: { "/old": { get: {
      ...common,
      parameters: [{ name: text, in: "query", type: "string", description: text, enum: [text], default: text }],
      responses: { 200: { description: text, examples: { "application/json": { [text]: text } }, headers: { "x-hostile": { type: "string", description: text } } } },
    } } },
    definitions: { [text]: { title: text, description: text, type: "object", properties: { [text]: { type: "string", description: text, default: text } } } },
  };
  const schema = { title: text, description: text, type: "object", properties: { [text]: { type: "string", description: text, example: text, enum: [text] } }, externalDocs, xml: { name: text } };
  const media = (value) => ({ "application/json": { schema, examples: { [text]: { summary: text, description: text, value } } } });
  const recent = {
    openapi: "3.1.0", info: { ...info, summary: text }, tags, externalDocs,
    servers: [{ url: link, description: text }],
    paths: { "/recent": { summary: text, description: text, post: {
      ...common,
      parameters: [{ name: text, in: "query", description: text, schema: { type: "string", default: text }, examples: { [text]: { value: text, summary: text } } }],
      requestBody: { description: text, content: media({ [text]: text }) },
      responses: { 200: { description: text, content: media({ [text]: text }), headers: { "x-hostile": { description: text, schema: { type: "string", example: text } } },
        links: { [text]: { operationId: text, description: text } } } },
    } } },
    components: { schemas: { Hostile: schema }, securitySchemes: { hostile: { type: "http", scheme: "bearer", description: text } } },
  };
  const quoted = JSON.stringify(text);
  // Tags have neither slashes nor commas.
  const tag = "'<img src=x onerror=alert(8)>'";
  const mock = (name, path) => `
- name: ${name}
  host: ${name}.invalid
  tags: [${tag}]
  routes:
  - name: ${name}
    paths: [${path}]
    strip_path: false
    tags: [${tag}]
    plugins:
    - {name: cors, instance_name: cors-${name}, tags: [${tag}]}
    - {name: mocking, config: {api_specification_filename: ${name}.json}}`;
  return {
    "kong.yaml": `_format_version: "3.0"\nservices:${mock("old", "/old")}${mock("recent", "/recent")}
consumers:
- {username: ${quoted}, custom_id: ${quoted}, tags: [${tag}]}
plugins:
- {name: request-termination, enabled: false, config: {message: ${quoted}}}
`,
    "specs/old.json": JSON.stringify(old),
    "specs/recent.json": JSON.stringify(recent),
  };
}
