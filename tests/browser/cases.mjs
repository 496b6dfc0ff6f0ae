// Runs the cases: node cases.mjs BINARY [WORD...]
import { mkdirSync, rmSync } from "node:fs";
import { launchBrowser, openPage, startGateway, startStub } from "./harness.mjs";

const [binary, ...words] = process.argv.slice(2);
const out = new URL("out/", import.meta.url).pathname;
/** Milliseconds after which a case has failed. */
const LIMIT = 150_000;

/** Cases that the pages do not pass yet, with the reason. They run, and do not fail the run. */
const KNOWN_FAULTS = new Map([
  ["read-only: the manager is a viewer and says why", "the manager does not ask whether the file is writable"],
]);

const FILES = ["tutorial", "entities", "file", "access", "hostile", "many", "every_page"];
const cases = [];
for (const file of FILES) cases.push(...Object.entries((await import(`./cases/${file}.mjs`)).default));
const chosen = cases.filter(([name]) => !words.length || words.some((word) => name.includes(word)));
if (!chosen.length) {
  console.error(`no case has a name with ${words.join(" or ")}; there are:\n  ${cases.map(([name]) => name).join("\n  ")}`);
  process.exit(2);
}

rmSync(out, { recursive: true, force: true });
const browser = await launchBrowser();
let failed = 0;
let knownFaults = 0;
for (const [index, [name, run]] of chosen.entries()) {
  const started = Date.now();
  const opened = [];
  const open = [];
  const keep = (thing) => (opened.push(thing), thing);
  const context = {
    browser,
    gateway: async (files, settings) => keep(await startGateway(binary, files, settings)),
    stub: async (answer) => keep(await startStub(answer)),
    async page(options) {
      const page = await openPage(browser, options);
      open.push(page);
      opened.push({ stop: () => page.context().close() });
      return page;
    },
  };
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(reject, LIMIT, new Error(`not finished after ${LIMIT / 1000} s`));
  });
  const seconds = () => ((Date.now() - started) / 1000).toFixed(1);
  try {
    await Promise.race([run(context), limit]);
    for (const page of open) page.checkFaults();
    console.log(`passed: ${name} (${seconds()} s)${KNOWN_FAULTS.has(name) ? "; it is no known fault any more" : ""}`);
  } catch (error) {
    const known = KNOWN_FAULTS.get(name);
    if (known) {
      console.log(`KNOWN FAULT: ${known}`);
      knownFaults += 1;
    } else failed += 1;
    console.log(`FAILED: ${name} (${seconds()} s): ${error.message}\n${(error.stack || "").split("\n").filter((line) => line.includes("cases/")).slice(0, 3).join("\n")}`);
    mkdirSync(out, { recursive: true });
    for (const [number, page] of open.entries()) {
      await page.screenshot({ path: `${out}${index}-${number}.png`, timeout: 5000 }).catch(() => {});
    }
  }
  clearTimeout(timer);
  for (const thing of opened.reverse()) await thing.stop();
}
await browser.close();
console.log(failed ? `${failed} of ${chosen.length} cases failed` : `${chosen.length - knownFaults} cases passed, ${knownFaults} with a known fault`);
process.exit(failed ? 1 : 0);
