// The entities that make a document answer as a mock, and those that let a browser read answers.
import { write } from "../client.js";

/** Header fields of answers that pages show besides those that browsers always read. */
export const EXPOSED_HEADERS = ["x-kong-mocking-plugin", "x-mynah-mock", "x-kong-request-id"];

export const corsPlugin = () => ({ name: "cors", config: { origins: ["*"], exposed_headers: EXPOSED_HEADERS } });

/** A name that Kong accepts, made of a file's name. */
const entityName = (document) =>
  document.replace(/\.(ya?ml|json)$/i, "").replace(/[^A-Za-z0-9._~-]+/g, "-").replace(/^-+|-+$/g, "") || "api";

/** Paths of a route that has all operations: their first segments, or `/` if one is a parameter. */
function routePaths(api) {
  const firsts = new Set(api.operations.map(({ path }) => api.base_path + "/" + (path.split("/")[1] || "")));
  const paths = [...firsts].map((path) => path.replace(/\/{2,}/g, "/"));
  return paths.some((path) => path.includes("{")) || !paths.length ? [api.base_path || "/"] : paths.sort();
}

/** The service, route and plugins of a document that nothing serves. */
export function mockChanges(api) {
  const name = entityName(api.document);
  const mocking = { api_specification_filename: api.document };
  if (api.base_path) mocking.include_base_path = true;
  return {
    service: { name, url: `http://${name.toLowerCase().replace(/[^a-z0-9-]/g, "-")}.invalid` },
    route: { name, paths: routePaths(api), strip_path: false },
    plugins: [corsPlugin(), { name: "mocking", config: mocking }],
  };
}

/** Writes the entities in the order in which they refer to each other. What was written before a failure is removed. */
export async function applyChanges({ service, route, plugins }) {
  await write("POST", "/services", service);
  try {
    const created = await write("POST", `/services/${service.name}/routes`, route);
    for (const plugin of plugins) await write("POST", `/routes/${created.id}/plugins`, plugin);
  } catch (failure) {
    await write("DELETE", `/routes/${route.name}`).catch(() => {});
    await write("DELETE", `/services/${service.name}`).catch(() => {});
    throw failure;
  }
}
