// The file behind the pages: what is shown before a write, undo, a broken save, a file that is not to be written.
import { check, checkEqual, until, visit } from "../harness.mjs";
import { shop } from "../fixtures.mjs";
import { writeChange } from "./tutorial.mjs";

export default {
  async "diff and undo: a switch is shown before it is written, and undone to the same bytes"({ gateway: start, page: open }) {
    const files = shop();
    const gateway = await start(files);
    const page = await open();
    await visit(page, `${gateway.manager}#/plugins`);
    const row = page.locator("tr[data-row]", { hasText: "mocking" });
    await row.getByRole("switch").click();
    const dialog = page.locator("dialog[open]");
    await dialog.locator(".add", { hasText: "enabled: false" }).waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await dialog.waitFor({ state: "detached" });
    checkEqual(gateway.read(), files["kong.yaml"], "the file after Cancel");
    await row.getByRole("switch").click();
    await writeChange(page);
    check(gateway.read() !== files["kong.yaml"], "nothing was written");
    await page.getByRole("button", { name: "Undo" }).click();
    await until("the plugin is on again", async () => (await gateway.ask("/plugins")).data.find(({ name }) => name === "mocking").enabled);
    await until("the switch is on again", async () => (await row.getByRole("switch").getAttribute("aria-checked")) === "true");
    checkEqual(gateway.read(), files["kong.yaml"], "the file after the undo");
  },

  async "a broken save: the open pages say so, traffic goes on, and they recover"({ gateway: start, page: open }) {
    const files = shop();
    const gateway = await start(files);
    const [manager, portal] = [await open(), await open()];
    await visit(manager, `${gateway.manager}#/services`);
    await visit(portal, gateway.portal);
    gateway.save(files["kong.yaml"].replace("paths: [/stock]", "pathz: [/stock]"));
    const band = manager.getByRole("alert").filter({ hasText: /last save/i });
    await band.waitFor();
    await portal.getByRole("alert").filter({ hasText: /last save/i }).waitFor();
    checkEqual((await fetch(`${gateway.proxy}/stock/historical?tickers=AAPL`)).status, 200, "status while the file is broken");
    await band.getByRole("link").click();
    const line = files["kong.yaml"].split("\n").findIndex((text) => text.includes("paths: [/stock]")) + 1;
    await manager.locator(".diag.error", { hasText: "pathz" }).filter({ hasText: new RegExp(`kong\\.yaml:${line}:`) }).waitFor();
    gateway.save(files["kong.yaml"]);
    await manager.locator(".diag.error").waitFor({ state: "detached" });
    await portal.getByRole("alert").filter({ hasText: /last save/i }).waitFor({ state: "detached" });
  },

  async "a saved file: the open portal shows the new document"({ gateway: start, page: open }) {
    const files = shop();
    const gateway = await start(files);
    const page = await open();
    await visit(page, gateway.portal);
    await page.locator(".tile", { hasText: "Stock API" }).waitFor();
    gateway.save(files["specs/stock-0.1.json"].replace('"title": "Stock API"', '"title": "Stocks of today"'), "specs/stock-0.1.json");
    await page.locator(".tile", { hasText: "Stocks of today" }).waitFor();
  },

  async "read-only: the manager is a viewer and says why"({ gateway: start, page: open }) {
    const gateway = await start(shop(), { KONG_ADMIN_WRITES: "off" });
    const page = await open();
    await visit(page, `${gateway.manager}#/plugins`);
    await page.locator("tr[data-row]").first().waitFor();
    await page.getByText("KONG_ADMIN_WRITES is off").waitFor();
    checkEqual(await page.getByRole("link", { name: /^New/ }).filter({ visible: true }).count(), 0, "links to make an entity");
    for (const one of await page.getByRole("switch").all()) check(await one.isDisabled(), "a switch can be moved");
    await page.locator("tr[data-row] a.name").first().click();
    await page.locator(".form .f").first().waitFor();
    checkEqual(await page.getByRole("button", { name: /^(Delete|Review)/ }).filter({ visible: true }).count(), 0, "buttons that write");
  },
};
