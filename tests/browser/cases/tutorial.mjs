// The tutorial as a person does it: try the mock out, switch it off, point the service at its server, try again.
import { check, checkEqual, until, visit } from "../harness.mjs";
import { shop } from "../fixtures.mjs";
import { fillField, openOperation, tryOut } from "../pages.mjs";

/** The lines of a text that have comments, without their values. */
const comments = (text) => text.split("\n").filter((line) => line.includes("#")).map((line) => line.replace(/^.*?#/, "#"));

export async function writeChange(page) {
  await page.locator("dialog[open]").getByRole("button", { name: /^Write/ }).click();
  await page.locator("dialog[open]").waitFor({ state: "detached" });
}

async function tryStock(page, gateway) {
  await visit(page, gateway.portal);
  await page.getByRole("link", { name: "Try it out: Stock API" }).click();
  return tryOut(await openOperation(page, "/stock/historical"), "tickers", "AAPL");
}

export default {
  async "tutorial: the mock answers, and after switching it off the service"({ gateway: start, stub, page: open }) {
    const files = shop();
    const gateway = await start(files);
    const upstream = await stub({ quotes: "of the service" });
    const portal = await open();

    const mocked = await tryStock(portal, gateway);
    checkEqual(mocked.status, "200", "status of the mock");
    check(mocked.body.includes("historical_stock_price_v2") && mocked.body.includes("275.03"), `the mock's example is not in: ${mocked.body}`);
    checkEqual(upstream.paths.length, 0, "requests at the service while the mock answers");

    const manager = await open();
    await visit(manager, `${gateway.manager}#/plugins`);
    const row = manager.locator("tr[data-row]", { hasText: "mocking" });
    await row.getByRole("switch").click();
    check(!gateway.read().includes("enabled: false\n      config:\n        api_spec"), "nothing is written before the review");
    await writeChange(manager);
    await until("the switch is off", async () => (await row.getByRole("switch").getAttribute("aria-checked")) === "false");

    await visit(manager, `${gateway.manager}#/services`);
    await manager.getByRole("link", { name: "stock-service" }).click();
    await fillField(manager, "host", "127.0.0.1");
    await fillField(manager, "port", String(upstream.port));
    await manager.getByRole("button", { name: "Review the change" }).click();
    await writeChange(manager);
    await until("the service is changed", async () => (await gateway.ask("/services/stock-service")).port === upstream.port);

    const live = await tryStock(portal, gateway);
    checkEqual(live.status, "200", "status of the service");
    check(live.body.includes("of the service") && !live.body.includes("275.03"), `the service's answer is not in: ${live.body}`);
    checkEqual(upstream.paths, ["/v1/stock/historical?tickers=AAPL"], "requests at the service");

    const [before, after] = [files["kong.yaml"], gateway.read()];
    const mocking = after.slice(after.indexOf("- name: mocking"), after.indexOf("- name: orders"));
    check(mocking.includes("enabled: false"), `the plugin is not off in the file:\n${mocking}`);
    checkEqual(comments(after), comments(before), "comments of the file");
  },

  async "portal: the bar above Execute decides about the mock's answer"({ gateway: start, page: open }) {
    const gateway = await start(shop());
    const page = await open();
    await visit(page, `${gateway.portal}#/`);
    const tile = page.locator(".tile", { hasText: "Loyalty" });
    await tile.getByRole("button", { name: "Mock this" }).click();
    await writeChange(page);
    check(gateway.read().includes("api_specification_filename: loyalty.yaml"), "the plugin mocking is not in the file");
    await page.getByRole("link", { name: "Try it out: Loyalty" }).click();
    const block = await openOperation(page, "/points/{customer}");
    await block.getByRole("button", { name: /^try it out/i }).click();
    await block.locator(".answer").getByLabel("Example").selectOption("many");
    const { status, body } = await tryOut(block, "customer", "c-7");
    checkEqual(status, "200", "status");
    check(body.includes("90210"), `the example that was chosen is not in: ${body}`);
    await block.locator(".answer").getByLabel("Status").selectOption("404");
    await block.getByRole("button", { name: "Execute" }).click();
    page.faults.allowed = /^404 for GET \/points/;
    await until("the status that was chosen", async () => (await block.locator(".live-responses-table .response-col_status").last().innerText()).startsWith("404"));
    await block.getByRole("button", { name: "curl" }).click();
    const line = await block.locator(".snip pre").innerText();
    check(line.includes(`${gateway.proxy}/points/c-7`) && line.includes("X-Kong-Mocking-Status-Code: 404"), `the line for curl: ${line}`);
  },
};
