// Documents and entities with script in every text.
import { check, checkEqual, visit } from "../harness.mjs";
import { hostile, unprotectedPage } from "../fixtures.mjs";
import { COLLECTIONS, openOperation } from "../pages.mjs";

/** Elements of a document that no page may have: what runs, loads or leads away. */
const findIntruders = () => {
  const selectors = ["main script", "main style", "main iframe", "main object", "main embed", "main link", "main base", "main meta", "main form[action]",
    "dialog script", "dialog iframe", "dialog style", "base", "iframe", "[onerror]", "[onload]", "[onclick]", "[srcdoc]"];
  const found = selectors.flatMap((selector) => [...document.querySelectorAll(selector)].map((element) => `${selector}: ${element.outerHTML.slice(0, 90)}`));
  const links = [...document.querySelectorAll("[href], [src], [action], [data]")].filter((element) =>
    ["href", "src", "action", "data"].some((name) => /^\s*javascript:/i.test(element.getAttribute(name) || "")));
  return [...found, ...links.map((element) => `a link that runs: ${element.outerHTML.slice(0, 90)}`)];
};

/**
 * Violations of the policy by the pages' own code. DOMPurify, which is part of Swagger UI, parses markup that the policy
 * refuses, and keeps images, which the policy refuses to load from other hosts.
 */
const own = (page, address) => page.violations.filter(({ file, blocked }) => !file.startsWith("swagger-ui-bundle") && !blocked.startsWith(`${address}/`));

export default {
  async "hostile texts: nothing of them runs, is loaded or becomes an element"({ gateway: start, stub, page: open }) {
    // The control: in a page without protection the same texts are found by each of the means below.
    const control = await stub({});
    const victim = await open();
    await victim.setContent(unprotectedPage(`http://127.0.0.1:${control.port}`), { waitUntil: "load" });
    check(victim.faults.some((fault) => fault.startsWith("a dialog")), "the texts of the fixture open no dialog even where they may");
    check(control.paths.length > 1, "the texts of the fixture load nothing even where they may");
    check((await victim.evaluate(findIntruders)).length > 3, "the elements of the fixture are not found");
    victim.faults.length = 0;
    await victim.goto("about:blank");
    victim.faults.length = 0;

    const evil = await stub({});
    const address = `http://127.0.0.1:${evil.port}`;
    const gateway = await start(hostile(address));
    const page = await open();
    const look = async (what) => checkEqual(await page.evaluate(findIntruders), [], `elements from the texts, ${what}`);
    await visit(page, gateway.portal);
    await page.locator(".tile").nth(1).waitFor();
    checkEqual(await page.locator(".tile").count(), 2, "tiles");
    check((await page.locator(".tile h2").first().innerText()).includes("onerror=alert"), "the title is not shown as the text that it is");
    await look("all APIs");
    for (const name of ["old", "recent"]) {
      await visit(page, `${gateway.portal}#/api?id=file%2F${name}.json`);
      const block = await openOperation(page, `/${name}`);
      await look(`${name}, opened`);
      for (const tab of await block.locator(".tablinks").all()) await tab.click();
      await look(`${name}, schemas`);
      await block.getByRole("button", { name: /^try it out/i }).click();
      await block.getByRole("button", { name: "Execute" }).click();
      await block.locator(".live-responses-table tbody tr.response").waitFor();
      for (const language of ["curl", "HTTPie", "fetch", "Python"]) await block.getByRole("button", { name: language }).click();
      await look(`${name}, answered`);
    }
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Search" }).click();
    await page.getByRole("combobox", { name: "Search" }).fill("old");
    await page.locator("#hits [role=option]").first().waitFor();
    await look("search");

    for (const collection of COLLECTIONS) {
      await visit(page, `${gateway.manager}#/${collection}`);
      const first = page.locator("tr[data-row] a.name").first();
      if (!(await gateway.ask(`/${collection}`)).data.length) continue;
      await first.waitFor();
      await look(collection);
      await first.click();
      await page.locator(".form .f").first().waitFor();
      await look(`the form of ${collection}`);
    }
    checkEqual(evil.paths, [], "requests to the server of the texts");
    checkEqual(own(page, address), [], "violations of the policy by own code");
    page.violations.length = 0;
  },
};
