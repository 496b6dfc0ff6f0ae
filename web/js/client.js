// Requests of a page to its own listener: the description of the page, the login, and the Admin API.

/** An answer that is no success: its status, and Kong's error object. */
export class RequestError extends Error {
  constructor(status, body) {
    super(body.message || `The gateway answered with ${status}`);
    this.status = status;
    this.fields = body.fields || {};
    this.body = body;
  }
}

const loginListeners = new Set();

/** Calls a function when a request is refused because there is no session. */
export function onLoginNeeded(listener) {
  loginListeners.add(listener);
  return () => loginListeners.delete(listener);
}

async function send(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch {
    throw new RequestError(0, { message: "The gateway cannot be reached" });
  }
  const type = response.headers.get("content-type") || "";
  const body = response.status === 204 ? {} : type.includes("json") ? await response.json() : { text: await response.text() };
  if (!response.ok) {
    if (response.status === 401) loginListeners.forEach((listener) => listener());
    throw new RequestError(response.status, body);
  }
  return body;
}

/** Reads a path of the Admin API. */
export const get = (path, options) => send("-/api" + path, options);

/** Sends JSON to a path of the Admin API. */
export const write = (method, path, value) =>
  send("-/api" + path, {
    method,
    headers: value === undefined ? {} : { "content-type": "application/json" },
    body: value === undefined ? undefined : JSON.stringify(value),
  });

/** Sends a text to a path of the Admin API. */
export const post = (path, text, type = "text/plain") =>
  send("-/api" + path, { method: "POST", headers: { "content-type": type }, body: text });

/** What the page is: addresses, version, what it may do. */
export const describePage = () => send("-/page");

/** Begins a session; the token is kept nowhere. */
export const logIn = (token) => send("-/login", { method: "POST", headers: { authorization: `Bearer ${token}` } });

export const logOut = () => send("-/logout", { method: "POST" });

/** All entities of a collection, over all pages of its list, at most `most`. */
export async function list(collection, most = 10000) {
  const all = [];
  let path = `/${collection}?size=1000`;
  while (path && all.length < most) {
    const page = await get(path);
    all.push(...page.data);
    path = page.next;
  }
  return all;
}
