// The page: which address shows what, and what stays the same on all of them.

import { followLinks, go, onAddress, params, queryOf } from "./address.js";
import { ApiError, forget, get } from "./api.js";
import { announce, fill, h } from "./dom.js";
import { close as closeHelp, setHelp } from "./help.js";
import { setPageKeys, showKeys, startKeys } from "./keys.js";
import { startTheme, toggleTheme } from "./theme.js";

const PAGES = [
  ["overview", /^\/$/],
  ["feature", /^\/feature\/(\d+)$/],
  ["song", /^\/song(?:\/([a-z]?\d+))?$/],
  ["yours", /^\/yours$/],
  ["compare", /^\/compare$/],
];
const main = document.getElementById("main");
const search = document.getElementById("search");
let shown = null; // {name, path, update, destroy}
let turn = 0;

startTheme();
// Ask before the page's module is there.
get("/api/run").then(
  (run) => setHelp(run.help),
  () => {},
);
if (/^\/(feature\/|song|compare|$)/.test(location.pathname)) get("/api/latents").catch(() => {});

async function render({ back = false } = {}) {
  closeHelp();
  const path = location.pathname.replace(/(.)\/$/, "$1");
  const [name, match] = PAGES.map(([page, pattern]) => [page, path.match(pattern)]).find(([, found]) => found) ?? [
    null,
    null,
  ];
  if (shown && shown.path === path && shown.update && back) return shown.update(params());
  shown?.destroy?.();
  shown = null;
  setPageKeys();
  for (const link of document.querySelectorAll("nav [data-page]")) {
    if (link.dataset.page === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.body.dataset.page = name ?? "nowhere";
  const mine = ++turn;
  const stop = new AbortController();
  shown = { path, destroy: () => stop.abort() };
  try {
    if (!name) throw new ApiError("There is no such page.", 404);
    const [page, run] = await Promise.all([import(`./pages/${name}.js`), get("/api/run")]);
    if (mine !== turn) return;
    const made = await page.show(main, { run, given: match[1], query: params(), signal: stop.signal });
    if (mine !== turn) return void made?.destroy?.();
    const destroy = () => {
      stop.abort();
      made?.destroy?.();
    };
    shown = { path, ...made, destroy };
    setPageKeys(made?.keys, made?.told);
    arrive(made?.title ?? "", back);
  } catch (error) {
    if (mine === turn && error.name !== "AbortError") showError(error);
  }
}

/** The page is there: its title, the place it was scrolled to, and the focus for those who listen. */
function arrive(title, back) {
  document.title = title ? `${title} – Music Interpret` : "Music Interpret";
  main.setAttribute("aria-busy", "false");
  announce(title);
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (back || history.state?.scroll) window.scrollTo(0, history.state?.scroll ?? 0);
  else if (target) target.scrollIntoView();
  else window.scrollTo(0, 0);
  if (arrive.before && !document.querySelector("dialog[open]"))
    main.querySelector("h1")?.focus({ preventScroll: true });
  arrive.before = true;
}

function showError(error) {
  if (!(error instanceof ApiError)) console.error(error);
  const said = error instanceof ApiError ? error.message : "Something on this page went wrong.";
  const retry = h("button", { type: "button", class: "button" }, "Try again");
  retry.addEventListener("click", () => {
    for (const path of ["/api/run", "/api/latents", "/api/songs", "/api/runs"]) forget(path);
    render();
  });
  fill(
    main,
    h(
      "div",
      { class: "empty", role: "alert" },
      h("h1", { tabindex: "-1" }, error.status === 404 ? "Not here" : "That did not work"),
      h("p", {}, said),
      h("p", { class: "row" }, retry, h("a", { class: "button quiet", href: "/" }, "Overview")),
    ),
  );
  document.title = "Music Interpret";
  main.setAttribute("aria-busy", "false");
}

function focusSearch() {
  const field = main.querySelector("input[type=search]") ?? search;
  field.focus();
  field.select();
}

search.addEventListener("keydown", (event) => {
  const text = search.value.trim();
  if (event.key !== "Enter" || !text) return;
  search.value = "";
  go(/^\d+$/.test(text) ? `/feature/${Number(text)}` : `/${queryOf({ q: text })}`);
});
document.getElementById("theme").addEventListener("click", toggleTheme);
document.getElementById("keys").addEventListener("click", showKeys);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
  main.scrollIntoView();
});
startKeys({ search: focusSearch, theme: toggleTheme });
onAddress(render);
followLinks();
render();
