// A gateway of its own for each case, a stub of an upstream, and pages of a browser that are watched for faults.
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync, readFileSync, renameSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, dirname } from "node:path";
import { chromium } from "playwright-core";

/** Milliseconds until a condition that does not come is a failure; builds may run on the same machine. */
const PATIENCE = 30_000;

export function check(condition, message) {
  if (!condition) throw new Error(message);
}

export function checkEqual(actual, expected, what) {
  const [one, other] = [JSON.stringify(actual), JSON.stringify(expected)];
  check(one === other, `${what}: ${one}, expected ${other}`);
}

/** Waits until a function returns something that counts as true, and returns it. */
export async function until(what, probe) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const value = await probe();
    if (value) return value;
    check(Date.now() < end, `timed out: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Runs a gateway on free ports with a folder of its own: `files` are texts by path. */
export async function startGateway(binary, files, settings = {}) {
  const folder = mkdtempSync(join(tmpdir(), "mynah-browser-"));
  const path = (name) => join(folder, name);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), text);
  }
  const free = "127.0.0.1:0";
  const env = {
    PATH: process.env.PATH, HOME: folder, KONG_PREFIX: path("prefix"), KONG_STATUS_LISTEN: "off",
    KONG_PROXY_LISTEN: free, KONG_ADMIN_LISTEN: free, KONG_PORTAL_GUI_LISTEN: free, KONG_ADMIN_GUI_LISTEN: free, ...settings,
  };
  const process_ = spawn(binary, ["run", "kong.yaml"], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let hasEnded = false;
  for (const stream of [process_.stdout, process_.stderr]) stream.on("data", (data) => (output += data));
  const ended = new Promise((resolve) => process_.on("exit", resolve)).then(() => (hasEnded = true));
  const address = (name) => output.match(new RegExp(`^mynah .*\\b${name} (https?://[^,;\\s]+)`, "m"))?.[1];
  await until("the gateway has started", () => address("manager") || (hasEnded && check(false, `no start: ${output}`)));
  return {
    proxy: address("proxy"), admin: address("admin"), portal: address("portal"), manager: address("manager"),
    read: (name = "kong.yaml") => readFileSync(path(name), "utf8"),
    // As editors do it: a new file takes the place of the old one.
    save(text, name = "kong.yaml") {
      writeFileSync(path(`${name}.new`), text);
      renameSync(path(`${name}.new`), path(name));
    },
    async ask(suffix, options) {
      const answer = await fetch(this.admin + suffix, options);
      return answer.json();
    },
    log: () => output,
    async stop() {
      process_.kill("SIGKILL");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A server that answers each request with JSON, and counts them. */
export async function startStub(answer = { from: "the upstream" }) {
  const paths = [];
  const server = createServer((request, response) => {
    paths.push(request.url);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(answer));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: server.address().port, paths, stop: () => server.close() };
}

export const launchBrowser = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });

export const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 }, small: { width: 360, height: 740 } };

/**
 * Opens a page in a context of its own. `page.faults` gathers what must not be: dialogs, errors of scripts, violations of
 * the policy, requests that fail or leave for an unknown host; `page.faults.allowed` is a pattern of those that a case
 * provokes. `page.sizes` has the bytes of each answer.
 */
export async function openPage(browser, { size = "desktop", theme = "light" } = {}) {
  const context = await browser.newContext({
    viewport: SIZES[size], colorScheme: theme, reducedMotion: "reduce", hasTouch: size !== "desktop", locale: "en-GB", timezoneId: "UTC",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.faults = [];
  page.violations = [];
  page.sizes = new Map();
  await context.exposeBinding("reportViolation", (source, violation) => page.violations.push(violation));
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      window.reportViolation({
        directive: event.violatedDirective, blocked: event.blockedURI.slice(0, 80),
        file: (event.sourceFile || "").split("/").pop(), sample: event.sample.slice(0, 60),
      });
    });
  });
  page.on("dialog", (dialog) => {
    page.faults.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("pageerror", (error) => page.faults.push(`an error of a script: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    // The events above have violations, and answers have their status below.
    if (message.type() === "error" && !/Content Security Policy|Failed to load resource/.test(text)) page.faults.push(`console: ${text.slice(0, 200)}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (/^https?:$/.test(url.protocol) && url.hostname !== "127.0.0.1") page.faults.push(`a request to ${url.host}`);
  });
  page.on("response", async (response) => {
    if (response.status() >= 400) page.faults.push(`${response.status()} for ${response.request().method()} ${new URL(response.url()).pathname}`);
    const body = await response.body().catch(() => null);
    if (body) page.sizes.set(response.url(), body.length);
  });
  page.checkFaults = () => {
    const violations = page.violations.map(({ directive, blocked, file }) => `the policy refused ${blocked || "inline code"} (${directive}, ${file})`);
    const { allowed } = page.faults;
    const faults = [...new Set([...page.faults, ...violations])].filter((fault) => !allowed?.test(fault));
    check(!faults.length, `the page ${page.url()} had faults:\n  ${faults.join("\n  ")}`);
  };
  return page;
}

/** Goes to a place within a page and waits until its heading is drawn. */
export async function visit(page, url) {
  // A change of the fragment alone loads nothing.
  await page.goto("about:blank");
  await page.goto(url);
  await page.waitForFunction(() => {
    const heading = document.querySelector("main h1");
    return heading && !heading.querySelector(".skel") && heading.textContent.trim();
  });
}
