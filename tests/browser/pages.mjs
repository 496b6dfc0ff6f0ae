// Every page, and how to reach it: for accessibility, widths and screenshots.
import { check, visit } from "./harness.mjs";

export const COLLECTIONS = ["services", "routes", "plugins", "consumers", "upstreams", "certificates", "snis", "ca_certificates", "vaults"];

/** Types into a field in the form of an entity. Fields at their defaults are folded; required ones have a star. */
export async function fillField(page, name, text) {
  const field = page.locator("main .form").getByLabel(new RegExp(`^${name}\\s*\\*?$`));
  await field.waitFor({ state: "attached" });
  if (!(await field.isVisible())) await page.locator("main .form summary", { hasText: "At their defaults" }).click();
  await field.fill(text);
}

/** Opens an operation in Swagger UI. */
export async function openOperation(page, path) {
  const block = page.locator(".opblock").filter({ has: page.locator(`[data-path="${path}"]`) }).first();
  await block.waitFor();
  if (!(await block.evaluate((element) => element.classList.contains("is-open")))) await block.locator(".opblock-summary-control").click();
  await block.locator(".opblock-body").waitFor();
  return block;
}

/** Sends the request of an opened operation with a text in its parameter; returns status and body of the answer. */
export async function tryOut(block, parameter, text) {
  const input = block.locator(`tr[data-param-name="${parameter}"] input`);
  await input.waitFor();
  if (await input.isDisabled()) await block.getByRole("button", { name: /^try it out/i }).click();
  await input.fill(text);
  await block.getByRole("button", { name: "Execute" }).click();
  const live = block.locator(".live-responses-table tbody tr.response");
  await live.waitFor();
  return {
    status: (await live.locator(".response-col_status").innerText()).trim(),
    body: await live.locator(".response-col_description").innerText(),
  };
}

const drawn = (selector) => (page) => page.locator(selector).first().waitFor();

async function openFirst(page) {
  await page.locator("tr[data-row] a.name").first().click();
  await page.locator(".form .f").first().waitFor();
}

async function switchMocking(page) {
  await page.locator("tr[data-row]", { hasText: "mocking" }).getByRole("switch").click();
  await page.locator("dialog[open]").waitFor();
}

async function explainStock(page) {
  await page.getByLabel("URL").fill("http://127.0.0.1:8000/stock/historical?tickers=AAPL");
  await page.getByRole("button", { name: "Explain" }).click();
  await page.getByText("stock-quotes").first().waitFor();
}

async function tryStock(page) {
  const block = await openOperation(page, "/stock/historical");
  const { status } = await tryOut(block, "tickers", "AAPL");
  check(status === "200", `the mock answered ${status}`);
}

/** Each page: its name, the listener, the place, and what is done there until it is to be seen. */
export const PAGES = [
  { name: "portal-home", on: "portal", place: "/", ready: drawn(".tile") },
  { name: "portal-api", on: "portal", place: "/api?id=file%2Fstock-0.1.json", ready: tryStock },
  { name: "portal-mock-this", on: "portal", place: "/", async ready(page) {
    await page.getByRole("button", { name: "Mock this" }).click();
    await page.locator("dialog[open]").waitFor();
  } },
  { name: "manager-overview", on: "manager", place: "/", ready: drawn(".kpi") },
  { name: "manager-traffic", on: "manager", place: "/traffic", ready: drawn("canvas") },
  { name: "manager-routing", on: "manager", place: "/routing", ready: explainStock },
  { name: "manager-reloads", on: "manager", place: "/reloads", ready: drawn("main .card") },
  ...COLLECTIONS.flatMap((collection) => [
    { name: `manager-${collection}`, on: "manager", place: `/${collection}`, ready: drawn("tr[data-row]") },
    { name: `manager-${collection}-form`, on: "manager", place: `/${collection}`, ready: openFirst },
  ]),
  { name: "manager-switch", on: "manager", place: "/plugins", ready: switchMocking },
  { name: "manager-new-plugin", on: "manager", place: "/plugins/new", ready: drawn(".choicegrid a") },
  { name: "manager-mocking", on: "manager", place: "/plugins", async ready(page) {
    await page.locator("tr[data-row] a.name", { hasText: "mocking" }).click();
    await page.locator(".form .f").first().waitFor();
  } },
  { name: "manager-new-service", on: "manager", place: "/services/new", ready: drawn(".form .f") },
  { name: "manager-missing", on: "manager", place: "/services/nothing", ready: drawn(".empty"), allowed: /^404 for GET/ },
  { name: "manager-search", on: "manager", place: "/", async ready(page) {
    await page.keyboard.press("/");
    await page.getByRole("combobox", { name: "Search" }).fill("stock");
    await page.locator("#hits [role=option]").first().waitFor();
  } },
  { name: "manager-keys", on: "manager", place: "/", async ready(page) {
    await page.keyboard.press("?");
    await page.locator("dialog[open]").waitFor();
  } },
];

/** Draws a page of the list. */
export async function draw(page, gateway, { on, place, ready }) {
  await visit(page, `${gateway[on].replace(/\/$/, "")}/#${place}`);
  await ready(page);
  await page.evaluate(() => document.fonts.ready);
}
