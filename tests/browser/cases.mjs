// Runs the cases: node cases.mjs BINARY [WORD...]
import { mkdirSync, rmSync } from "node:fs";
import { launchBrowser, openPage, startGateway, startStub } from "./harness.mjs";

const [binary, ...words] = process.argv.slice(2);
const out = new URL("out/", import.meta.url).pathname;
/** Milliseconds after which a case has failed. */
const LIMIT = 150_000;

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

/** Runs a case, and returns whether it passed. */
async function runCase(index, [name, run]) {
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
  let passed = true;
  try {
    await Promise.race([run(context), limit]);
    for (const page of open) page.checkFaults();
    console.log(`passed: ${name} (${seconds()} s)`);
  } catch (error) {
    passed = false;
    console.log(`FAILED: ${name} (${seconds()} s): ${error.message}\n${(error.stack || "").split("\n").filter((line) => line.includes("cases/")).slice(0, 3).join("\n")}`);
    mkdirSync(out, { recursive: true });
    for (const [number, page] of open.entries()) {
      await page.screenshot({ path: `${out}${index}-${number}.png`, timeout: 5000 }).catch(() => {});
    }
  }
  clearTimeout(timer);
  for (const thing of opened.reverse()) await thing.stop();
  return passed;
}

const failed = [];
for (const [index, one] of chosen.entries()) if (!(await runCase(index, one))) failed.push([index, one]);
// A busy machine can be too slow for a wait: a fault fails twice.
let faults = 0;
for (const [index, one] of failed) {
  console.log(`once more: ${one[0]}`);
  if (!(await runCase(index, one))) faults += 1;
}
await browser.close();
console.log(`${chosen.length - faults} of ${chosen.length} cases passed, ${failed.length - faults} of them at the second try`);
process.exit(faults ? 1 : 0);
