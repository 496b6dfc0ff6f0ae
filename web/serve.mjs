// Serves web/ from the disk for work on the pages, so that a change needs no build; everything below `/-/` is relayed to
// the page of a gateway that runs.
//
//   node web/serve.mjs portal 9003 http://127.0.0.1:8003
//   node web/serve.mjs manager 9002 http://127.0.0.1:8002
import { createServer, request } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { brotliDecompressSync } from "node:zlib";

const [page = "portal", port = "9003", gateway = "http://127.0.0.1:8003"] = process.argv.slice(2);
const root = import.meta.dirname;
const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".woff2": "font/woff2",
};

function relay(asked, answer) {
  const target = new URL(asked.url, gateway);
  const headers = { ...asked.headers, host: target.host };
  if (headers.origin) headers.origin = target.origin;
  const relayed = request(target, { method: asked.method, headers }, (response) => {
    answer.writeHead(response.statusCode, response.headers);
    response.pipe(answer);
  });
  relayed.on("error", () => answer.writeHead(502).end());
  asked.pipe(relayed);
}

async function read(path) {
  const file = join(root, normalize(path));
  try {
    return await readFile(file);
  } catch {
    return brotliDecompressSync(await readFile(file + ".br"));
  }
}

createServer(async (asked, answer) => {
  const { pathname } = new URL(asked.url, "http://localhost");
  if (pathname.startsWith("/-/")) return relay(asked, answer);
  try {
    const path = pathname === "/" ? `/${page}.html` : pathname.replace("/assets/", "/");
    const content = await read(path);
    // The policy of the gateway, whose page names the proxy.
    const { headers } = await fetch(gateway);
    answer.writeHead(200, {
      "content-type": types[extname(path)] || "application/octet-stream",
      "content-security-policy": headers.get("content-security-policy") || "",
      "cache-control": "no-store",
    });
    answer.end(content);
  } catch {
    answer.writeHead(404).end("Not found");
  }
}).listen(Number(port), "127.0.0.1", () => console.log(`${page} at http://127.0.0.1:${port}`));
