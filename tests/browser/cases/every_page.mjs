// What holds for every page: accessibility in both themes, and widths.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { SIZES, check } from "../harness.mjs";
import { shop } from "../fixtures.mjs";
import { PAGES, draw } from "../pages.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Rules that depend on colours: the only ones that a theme can change, as it is nothing but colours. */
const COLOUR_RULES = ["color-contrast", "link-in-text-block"];

async function findViolations(page, rules) {
  // Colours of a theme fade in.
  await page.evaluate(() => Promise.allSettled(document.getAnimations().map((animation) => animation.finished)));
  const { violations, passes } = await page.evaluate((only) =>
    window.axe.run(document, { preload: false, resultTypes: ["violations"], ...(only && { runOnly: { type: "rule", values: only } }) }), rules);
  check(passes.length + violations.length > 0, "axe-core has checked nothing");
  return violations.map(({ id, nodes }) => `${id} x${nodes.length}: ${nodes.slice(0, 3).map((node) => `${node.target.flat().join(" ")} (${(node.any[0] || node.all[0] || node.none[0])?.message || ""})`).join(" | ")}`);
}

/** Elements that reach beyond the right edge of a screen on which the whole page scrolls. */
const findWide = () => {
  const excess = document.documentElement.scrollWidth - innerWidth;
  return excess > 0 ? `${excess} px wider than ${innerWidth} px` : null;
};

async function checkEachPage({ gateway: start, page: open }, size) {
  const gateway = await start(shop());
  const faults = [];
  const page = await open({ size });
  for (const entry of PAGES) {
    try {
      await page.emulateMedia({ colorScheme: "light" });
      await draw(page, gateway, entry);
      await page.evaluate(axe);
      const report = (list, where) => list.forEach((text) => faults.push(`${entry.name}, ${where}: ${text}`));
      report(await findViolations(page), "light");
      await page.emulateMedia({ colorScheme: "dark" });
      report(await findViolations(page, COLOUR_RULES), "dark");
      const sizes = size === "phone" ? [SIZES.phone, SIZES.small] : [SIZES[size]];
      for (const viewport of sizes) {
        await page.setViewportSize(viewport);
        const wide = await page.evaluate(findWide);
        if (wide) faults.push(`${entry.name}: ${wide}`);
      }
      await page.setViewportSize(SIZES[size]);
      if (entry.allowed) page.faults = page.faults.filter((fault) => !entry.allowed.test(fault));
      page.checkFaults();
    } catch (error) {
      faults.push(`${entry.name}: ${error.message}`);
    }
    page.faults.length = 0;
    page.violations.length = 0;
  }
  check(!faults.length, `${faults.length} faults:\n  ${faults.join("\n  ")}`);
}

export default {
  "every page, desktop: accessible in both themes, not wider than the screen": (context) => checkEachPage(context, "desktop"),
  "every page, phone: accessible in both themes, not wider than 390 and 360 px": (context) => checkEachPage(context, "phone"),
};
