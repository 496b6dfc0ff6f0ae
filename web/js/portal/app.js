// The developer portal: the place within the page decides what is drawn.
import { html, render, useLocation, useEffect } from "../ui.js";
import { Shell } from "../shell.js";
import { get } from "../client.js";
import { Home } from "./home.js";
import { Api } from "./api.js";
import { Deploy } from "./deploy.js";

/** All APIs and their operations, for the search of the bar. */
async function loadSearch() {
  const { data } = await get("/mynah/apis");
  return data.flatMap((api) => {
    const href = `#/api?id=${encodeURIComponent(api.id)}`;
    const operations = api.operations.map(({ method, path, summary, operation_id }) => ({
      text: `${method} ${path}`,
      where: [api.title, summary || operation_id].filter(Boolean).join(": "),
      icon: "corner-down-right",
      href: `${href}&operation=${encodeURIComponent(`${method} ${path}`)}`,
    }));
    return [{ text: api.title, where: api.document || "in kong.yaml", icon: "layers", href }, ...operations];
  });
}

function Portal() {
  const { path, query } = useLocation();
  const id = query.get("id");
  useEffect(() => {
    document.title = path === "/deploy" ? "Deploy - mynah" : "APIs - mynah";
    scrollTo(0, 0);
    document.getElementById("main")?.focus({ preventScroll: true });
  }, [path, id]);
  const name = query.get("document") || "";
  const draw = ({ about, status }) =>
    path === "/deploy"
      ? html`<${Deploy} key=${name} name=${name} about=${about} onNamed=${(saved) => { location.hash = `/deploy?document=${encodeURIComponent(saved)}`; }} />`
      : path === "/api" && id
      ? html`<${Api} key=${id} id=${id} operation=${query.get("operation")} about=${about} generation=${status?.configuration?.generation} />`
      : html`<${Home} about=${about} generation=${status?.configuration?.generation} />`;
  return html`<${Shell} page="portal" search=${loadSearch}>${draw}</${Shell}>`;
}

// The bar of the document itself stands there until the first rendering.
const root = document.getElementById("app");
root.replaceChildren();
render(html`<${Portal} />`, root);
