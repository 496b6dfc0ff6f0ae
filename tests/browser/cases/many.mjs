// Ten thousand routes.
import { check, checkEqual, until, visit } from "../harness.mjs";
import { manyRoutes } from "../fixtures.mjs";

const MOST_BYTES = 1024 * 1024;
/** Elements beyond which browsers lay a page out slowly. */
const MOST_ELEMENTS = 5000;

export default {
  async "10,000 routes: pages and search, few elements, no answer over 1 MiB"({ gateway: start, page: open }) {
    const gateway = await start(manyRoutes(10_000));
    const page = await open();
    await visit(page, `${gateway.manager}#/routes`);
    const rows = page.locator("tr[data-row]");
    const name = (index) => rows.nth(index).locator("a.name").innerText();
    const countElements = () => page.evaluate(() => document.querySelectorAll("*").length);
    await rows.first().waitFor();
    await page.getByText("10,000 routes").waitFor();
    check((await countElements()) < MOST_ELEMENTS, `the list has ${await countElements()} elements`);
    const first = await name(0);
    await page.getByRole("button", { name: "Next" }).click();
    await until("another page", async () => (await name(0)) !== first);
    check((await countElements()) < MOST_ELEMENTS, `the second page has ${await countElements()} elements`);
    await page.getByRole("button", { name: "Previous" }).click();
    await until("the first page again", async () => (await name(0)) === first);
    await page.getByRole("searchbox").fill("/area-9/9876");
    await until("one row", async () => (await rows.count()) === 1 && (await name(0)) === "route-9876");
    await rows.first().locator("a.name").click();
    await page.getByRole("heading", { level: 1, name: "route-9876" }).waitFor();
    const answers = [...page.sizes];
    check(answers.length > 20, `only ${answers.length} answers were seen`);
    checkEqual(answers.filter(([url, size]) => size > MOST_BYTES && !url.includes("/assets/")), [], "answers over 1 MiB");
  },
};
