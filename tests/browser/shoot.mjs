// Screenshots of every page: node shoot.mjs BINARY FOLDER [WORD...]
import { mkdirSync } from "node:fs";
import { launchBrowser, openPage, startGateway } from "./harness.mjs";
import { shop } from "./fixtures.mjs";
import { PAGES, draw } from "./pages.mjs";

const [binary, folder, ...words] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const isWanted = (name) => !words.length || words.some((word) => name.includes(word));
const browser = await launchBrowser();
// The same address in each picture, if it is free.
const gateway = await startGateway(binary, shop());
// Something to be seen in the traffic.
const exchanges = () => Promise.all(
  ["/stock/historical?tickers=AAPL", "/stock/closing?tickers=KO", "/stock/historical", "/nothing"].map((path) => fetch(gateway.proxy + path)));
await fetch(`${gateway.admin}/mynah/exchanges`);
for (let round = 0; round < 4; round += 1) await exchanges();
let failures = 0;
for (const size of ["desktop", "phone"]) for (const theme of ["light", "dark"]) {
  const page = await openPage(browser, { size, theme });
  for (const entry of PAGES.filter(({ name }) => isWanted(name))) {
    try {
      await draw(page, gateway, entry);
      await page.mouse.move(2, 2);
      await page.screenshot({ path: `${folder}/${entry.name}.${size}.${theme}.png` });
    } catch (error) {
      failures += 1;
      console.error(`FAILED: ${entry.name}, ${size}, ${theme}: ${error.message}`);
    }
  }
  await page.context().close();
}
await browser.close();
await gateway.stop();
process.exit(failures ? 1 : 0);
