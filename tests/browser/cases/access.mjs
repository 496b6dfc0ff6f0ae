// The login with the token of the Admin API.
import { check, checkEqual, visit } from "../harness.mjs";
import { shop } from "../fixtures.mjs";

const TOKEN = "a-token-of-the-tests-0123456789";

export default {
  async "token: login, a cookie that scripts cannot read, logout"({ gateway: start, page: open }) {
    const gateway = await start(shop(), { MYNAH_ADMIN_TOKEN: TOKEN });
    const page = await open();
    const origin = new URL(gateway.manager).origin;
    const api = (path) => page.request.get(`${origin}/-/api${path}`);
    await visit(page, `${gateway.manager}#/services`);
    const field = page.getByLabel("Token");
    await field.waitFor();
    checkEqual((await api("/services")).status(), 401, "status before the login");
    checkEqual(await page.locator("tr[data-row]").count(), 0, "rows before the login");

    page.faults.allowed = /^401 for /;
    await field.fill("wrong");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("alert").filter({ hasText: "not the token" }).waitFor();
    checkEqual(await page.context().cookies(), [], "cookies after a wrong token");

    await field.fill(TOKEN);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.locator("tr[data-row]", { hasText: "stock-service" }).waitFor();
    const cookies = await page.context().cookies();
    checkEqual(cookies.map(({ httpOnly, sameSite, secure }) => ({ httpOnly, sameSite, secure })),
      [{ httpOnly: true, sameSite: "Strict", secure: false }], "attributes of the cookies");
    check(!cookies[0].value.includes(TOKEN), "the cookie has the token");
    const kept = await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage }));
    check(!kept.includes(TOKEN) && !kept.includes(cookies[0].value), `scripts can read ${kept}`);
    checkEqual((await page.request.get(`${origin}/-/api/services`, { headers: { cookie: `${cookies[0].name}=${cookies[0].value}` } })).status(), 200, "status with the session");

    await page.reload();
    await page.locator("tr[data-row]").first().waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await field.waitFor();
    const old = await page.request.get(`${origin}/-/api/services`, { headers: { cookie: `${cookies[0].name}=${cookies[0].value}` } });
    checkEqual(old.status(), 401, "status with the old session");
  },
};
