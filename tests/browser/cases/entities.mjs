// Lists and forms of all kinds of entities, as their schemas say.
import { check, checkEqual, until, visit } from "../harness.mjs";
import { shop } from "../fixtures.mjs";
import { COLLECTIONS, fillField } from "../pages.mjs";
import { writeChange } from "./tutorial.mjs";

const SET_BY_GATEWAY = ["id", "created_at", "updated_at"];

/** Names of the fields that a form needs a control for: all but records, which are their fields. */
function controls(fields, at = "") {
  return fields.flatMap((entry) => {
    const [[name, schema]] = Object.entries(entry);
    if (!at && SET_BY_GATEWAY.includes(name)) return [];
    return schema.type === "record" && schema.fields ? controls(schema.fields, `${at}${name}.`) : [`${at}${name}`];
  });
}

/** Names beside the controls of the form in sight, folded ones too. */
const labels = (page) => page.locator(".form .f label.name span:first-child").evaluateAll((spans) => spans.map((span) => span.textContent.trim()));

const lastParts = (names) => names.map((name) => name.split(".").at(-1)).sort();

export default {
  async "lists: each kind of entity is listed, and its form has all fields of the schema"({ gateway: start, page: open }) {
    const gateway = await start(shop());
    const page = await open();
    for (const collection of COLLECTIONS) {
      const { data } = await gateway.ask(`/${collection}`);
      check(data.length > 0, `the fixture has no ${collection}`);
      await visit(page, `${gateway.manager}#/${collection}`);
      const rows = page.locator("tr[data-row]");
      await rows.first().waitFor();
      checkEqual(await rows.count(), data.length, `rows of ${collection}`);
      const href = await rows.first().locator("a.name").getAttribute("href");
      await rows.first().locator("a.name").click();
      await page.locator(".form .f").first().waitFor();
      const entity = await gateway.ask(`/${collection}/${href.split("/").at(-1)}`);
      const { fields } = await gateway.ask(`/schemas/${collection}`);
      const own = collection === "plugins"
        ? [...controls([(await gateway.ask(`/schemas/plugins/${entity.name}`)).fields.find((field) => field.config)]),
          ...controls(fields.filter((field) => !["config", "name", "enabled"].includes(Object.keys(field)[0])))]
        : controls(fields);
      checkEqual((await labels(page)).sort(), lastParts(own), `fields in the form of ${collection}`);
    }
  },

  async "forms: every plugin that the gateway has can be added with a form from its schema"({ gateway: start, page: open }) {
    const gateway = await start(shop());
    const page = await open();
    await visit(page, `${gateway.manager}#/plugins/new`);
    const names = Object.keys((await gateway.ask("/")).plugins.available_on_server);
    check(names.length > 10, `only ${names.length} plugins`);
    checkEqual((await page.locator(".choicegrid a").allInnerTexts()).map((name) => name.trim()).sort(), [...names].sort(), "plugins to choose");
    for (const name of names) {
      await page.evaluate((plugin) => (location.hash = `/plugins/new?name=${plugin}`), name);
      await page.getByRole("heading", { level: 1, name: `New ${name}`, exact: true }).waitFor();
      const { fields } = await gateway.ask(`/schemas/plugins/${name}`);
      const config = lastParts(controls([fields.find((field) => field.config)]));
      const shown = await labels(page);
      const lacking = config.filter((field) => !shown.includes(field));
      checkEqual(lacking, [], `fields that the form of ${name} lacks`);
    }
  },

  async "forms: an entity is made, changed and removed; a wrong value is refused at its field"({ gateway: start, page: open }) {
    const gateway = await start(shop());
    const page = await open();
    await visit(page, `${gateway.manager}#/services/new`);
    await fillField(page, "name", "catalogue");
    await fillField(page, "host", "catalogue.example");
    page.faults.allowed = /^400 for POST .*validate/;
    await fillField(page, "port", "70000");
    await page.locator(".f.set", { hasText: "port" }).locator(".fielderr", { hasText: "65535" }).waitFor();
    check(await page.getByRole("button", { name: "Review the change" }).isDisabled(), "a wrong value can be written");
    await fillField(page, "port", "8080");
    await page.getByRole("button", { name: "Review the change" }).click();
    check(!gateway.read().includes("catalogue"), "written before the review");
    await page.locator("dialog[open]").getByText("catalogue.example").first().waitFor();
    await writeChange(page);
    await page.getByRole("heading", { level: 1, name: "catalogue" }).waitFor();
    const made = await gateway.ask("/services/catalogue");
    checkEqual([made.host, made.port], ["catalogue.example", 8080], "the service");
    check(/name: catalogue/.test(gateway.read()), "the service is not in the file");

    await fillField(page, "host", "c.example");
    await page.getByRole("button", { name: "Review the change" }).click();
    await writeChange(page);
    await until("the host is changed", async () => (await gateway.ask("/services/catalogue")).host === "c.example");
  },

  async "lists: search and tags choose rows"({ gateway: start, page: open }) {
    const gateway = await start(shop());
    const page = await open();
    await visit(page, `${gateway.manager}#/routes`);
    const names = async () => (await page.locator("tr[data-row] a.name").allInnerTexts()).sort();
    await until("all routes", async () => (await names()).length === 3);
    await page.getByRole("searchbox").fill("ORDERS");
    await until("a part of names", async () => (await names()).join() === "orders-read,orders-write");
    await page.getByRole("searchbox").fill("shop.example post");
    await until("hosts and methods", async () => (await names()).join() === "orders-write");
    await page.getByRole("searchbox").fill("no such route");
    await until("no row", async () => (await names()).length === 0);
    await page.getByRole("searchbox").fill("");
    await page.getByLabel("Tag").selectOption("finance");
    await until("a tag", async () => (await names()).join() === "stock-quotes");
  },

  async "search: keys open it, and Enter leads to the entity"({ gateway: start, page: open }) {
    const gateway = await start(shop());
    const page = await open();
    await visit(page, gateway.manager);
    await page.keyboard.press("/");
    await page.getByRole("combobox").fill("orders-wr");
    await page.getByRole("option", { name: /orders-write/ }).waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "orders-write" }).waitFor();
  },

  async "routing: the route that takes a request, and the plugins in their order"({ gateway: start, page: open }) {
    const gateway = await start(shop());
    const page = await open();
    await visit(page, `${gateway.manager}#/routing`);
    await page.getByLabel("URL").fill("http://shop.example/orders/7");
    await page.getByLabel("Method").selectOption("POST");
    await page.getByRole("button", { name: "Explain" }).click();
    await page.locator(".losers tr[data-row].won", { hasText: "orders-write" }).waitFor();
    const way = await page.locator(".flow").innerText();
    check(way.indexOf("key-auth") > 0 && way.indexOf("rate-limiting") > way.indexOf("key-auth"), `the way of the request: ${way}`);
  },
};
