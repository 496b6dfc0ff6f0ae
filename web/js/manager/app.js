// The manager: the place within the page decides what is drawn.
import { html, render, useLocation, useEffect, useState } from "../ui.js";
import { Shell } from "../shell.js";
import { get, list } from "../client.js";
import { COLLECTIONS, entityName } from "./collections.js";
import { EntityList } from "./entity_list.js";
import { EntityForm } from "./entity_form.js";
import { Overview } from "./overview.js";
import { Reloads } from "./reloads.js";
import { Routing } from "./routing.js";
import { Traffic } from "./traffic.js";

/** Most entities of a collection in the search of the bar. */
const MOST_SEARCHED = 5000;

async function loadSearch() {
  const all = await Promise.all(Object.keys(COLLECTIONS).map((collection) => list(collection, MOST_SEARCHED).catch(() => [])));
  return Object.entries(COLLECTIONS).flatMap(([collection, { icon, word }], index) =>
    all[index].map((entity) => ({
      text: entityName(entity),
      where: [word, ...(entity.hosts || []), ...(entity.paths || []), entity.host].filter(Boolean).join(" "),
      icon,
      href: `#/${collection}/${entity.id}`,
    })));
}

const TITLES = { "/": "Overview", "/traffic": "Traffic", "/routing": "Routing", "/reloads": "Reloads" };

function Content({ path, query, about, status, counts, onCount }) {
  const [, collection, id] = path.split("/");
  // Counted again when the configuration changes.
  useEffect(onCount, [status?.configuration?.generation]);
  if (COLLECTIONS[collection] && id) return html`<${EntityForm} key=${path} collection=${collection} id=${id} query=${query} about=${about} generation=${status?.configuration?.generation} />`;
  if (COLLECTIONS[collection]) return html`<${EntityList} key=${collection} collection=${collection} about=${about} generation=${status?.configuration?.generation} />`;
  if (path === "/traffic") return html`<${Traffic} about=${about} />`;
  if (path === "/routing") return html`<${Routing} query=${query} about=${about} />`;
  if (path === "/reloads") return html`<${Reloads} status=${status} about=${about} />`;
  return html`<${Overview} about=${about} counts=${counts} status=${status} />`;
}

function Manager() {
  const { path, query } = useLocation();
  const [counts, setCounts] = useState({});
  const [, collection] = path.split("/");
  useEffect(() => {
    document.title = `${TITLES[path] || COLLECTIONS[collection]?.title || "Overview"} - mynah manager`;
    scrollTo(0, 0);
    document.getElementById("main")?.focus({ preventScroll: true });
  }, [path]);
  const count = () => {
    for (const name of Object.keys(COLLECTIONS)) {
      get(`/mynah/rows/${name}?count=1`).then(({ total }) => setCounts((old) => ({ ...old, [name]: total })), () => {});
    }
  };
  return html`<${Shell} page="manager" search=${loadSearch} counts=${counts}>${({ about, status }) => html`
    <${Content} path=${path} query=${query} about=${about} status=${status} counts=${counts} onCount=${count} />`}</${Shell}>`;
}

// The bar of the document itself stands there until the first rendering.
const root = document.getElementById("app");
root.replaceChildren();
render(html`<${Manager} />`, root);
