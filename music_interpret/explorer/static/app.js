// The page: which address shows what, and what stays the same on all of them.

import { followLinks, go, onAddress, params, queryOf } from "./address.js";
import { announce } from "./announce.js";
import { ApiError, forget, get, isAbort } from "./api.js";
import { setHelp } from "./help.js";
import { setPageKeys, showKeys, startKeys } from "./keys.js";
import { startTheme, toggleTheme } from "./theme.js";
import { fill, h } from "./views/dom.js";
import { closeHelp } from "./views/help.js";

/** @import { Shown, Visit } from "./types" */

/** @type {[string, RegExp][]} */
const PAGES = [
  ["overview", /^\/$/],
  ["feature", /^\/feature\/(\d+)$/],
  ["song", /^\/song(?:\/([a-z]?\d+))?$/],
  ["yours", /^\/yours$/],
  ["compare", /^\/compare$/],
];
const main = element("main", HTMLElement);
const search = element("search", HTMLInputElement);
/** @type {(Partial<Shown> & { path: string }) | null} */
let shown = null;
let turn = 0;
let arrived = false;

/**
 * An element of index.html.
 * @template {HTMLElement} E
 * @param {string} id
 * @param {new () => E} kind
 */
function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`index.html has no such #${id}`);
  return found;
}

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
  const [name, pattern] = PAGES.find(([, address]) => address.test(path)) ?? [];
  if (shown && shown.path === path && shown.update && back) return shown.update(params());
  shown?.destroy?.();
  shown = null;
  setPageKeys();
  for (const link of document.querySelectorAll(".site nav a")) {
    if (link.getAttribute("data-page") === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.body.dataset.page = name ?? "nowhere";
  const mine = ++turn;
  const stop = new AbortController();
  shown = { path, destroy: () => stop.abort() };
  try {
    if (!name || !pattern) throw new ApiError("There is no such page.", 404);
    const [page, run] = await Promise.all([pageNamed(name), get("/api/run")]);
    if (mine !== turn) return;
    const made = await page.show(main, { run, given: pattern.exec(path)?.[1], query: params(), signal: stop.signal });
    if (mine !== turn) return void made?.destroy?.();
    const destroy = () => {
      stop.abort();
      made?.destroy?.();
    };
    shown = { path, ...made, destroy };
    setPageKeys(made?.keys, made?.told);
    arrive(made?.title ?? "", back);
  } catch (error) {
    if (mine === turn && !isAbort(error)) showError(error);
  }
}

/** @param {string} name @returns {Promise<{ show(main: HTMLElement, visit: Visit): Promise<Shown | null> }>} */
const pageNamed = (name) => import(`./pages/${name}.js`);

/**
 * The page is there: its title, the place it was scrolled to, and the focus for those who listen.
 * @param {string} title
 * @param {boolean} back
 */
function arrive(title, back) {
  document.title = title ? `${title} – Music Interpret` : "Music Interpret";
  main.setAttribute("aria-busy", "false");
  announce(title);
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (back || history.state?.scroll) window.scrollTo(0, history.state?.scroll ?? 0);
  else if (target) target.scrollIntoView();
  else window.scrollTo(0, 0);
  if (arrived && !document.querySelector("dialog[open]")) main.querySelector("h1")?.focus({ preventScroll: true });
  arrived = true;
}

/** @param {unknown} error */
function showError(error) {
  if (!(error instanceof ApiError)) console.error(error);
  const said = error instanceof ApiError ? error.message : "Something on this page went wrong.";
  const retry = h("button", { type: "button", class: "button" }, "Try again");
  retry.addEventListener("click", () => {
    forget("/api/run");
    forget("/api/latents");
    forget("/api/songs");
    forget("/api/runs");
    render();
  });
  fill(
    main,
    h(
      "div",
      { class: "empty", role: "alert" },
      h("h1", { tabindex: "-1" }, error instanceof ApiError && error.status === 404 ? "Not here" : "That did not work"),
      h("p", {}, said),
      h("p", { class: "row" }, retry, h("a", { class: "button quiet", href: "/" }, "Overview")),
    ),
  );
  document.title = "Music Interpret";
  main.setAttribute("aria-busy", "false");
}

function focusSearch() {
  const field = [...main.querySelectorAll("input")].find(({ type }) => type === "search") ?? search;
  field.focus();
  field.select();
}

search.addEventListener("keydown", (event) => {
  const text = search.value.trim();
  if (event.key !== "Enter" || !text) return;
  search.value = "";
  go(/^\d+$/.test(text) ? `/feature/${Number(text)}` : `/${queryOf({ q: text })}`);
});
element("theme", HTMLButtonElement).addEventListener("click", toggleTheme);
element("keys", HTMLButtonElement).addEventListener("click", showKeys);
document.querySelector(".skip")?.addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
  main.scrollIntoView();
});
startKeys({ search: focusSearch, theme: toggleTheme });
onAddress(render);
followLinks();
render();
