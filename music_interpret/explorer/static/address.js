// The page's address is its state: every choice a person makes stands in the query, so links and Back restore it.

/** @import { Changes, Step } from "./types" */

/** @type {(how: { back: boolean }) => void} */
let render = () => {};

/** Set by the router once: what to call after the address changed. @param {typeof render} work */
export function onAddress(work) {
  render = work;
}

export function params() {
  return new URLSearchParams(location.search);
}

/** A query string without empty values, with commas and slashes left readable. @param {URLSearchParams | Changes} entries */
export function queryOf(entries) {
  const pairs = entries instanceof URLSearchParams ? [...entries] : Object.entries(entries);
  const said = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = said.map(
    ([key, value]) =>
      `${key}=${encodeURIComponent(String(value)).replace(/%2C/g, ",").replace(/%2F/g, "/").replace(/%20/g, "+")}`,
  );
  return text.length ? `?${text.join("&")}` : "";
}

/**
 * Change some values of the query; the page has shown the change already. `replace` leaves no step for Back.
 * @param {Changes} changes
 * @param {Step} [step]
 */
export function setQuery(changes, { replace = false } = {}) {
  const next = params();
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === "") next.delete(key);
    else next.set(key, String(value));
  }
  const to = location.pathname + queryOf(next) + location.hash;
  if (to === location.pathname + location.search + location.hash) return;
  keepScroll();
  history[replace ? "replaceState" : "pushState"]({ scroll: window.scrollY }, "", to);
}

/** Open another page of the explorer. @param {string} to @param {Step} [step] */
export function go(to, { replace = false } = {}) {
  keepScroll();
  history[replace ? "replaceState" : "pushState"]({ scroll: 0 }, "", to);
  render({ back: false });
}

/** Remember in this step of the history how far down the page is. */
function keepScroll() {
  history.replaceState({ ...history.state, scroll: window.scrollY }, "");
}

/** Let ordinary links to own pages change the page in place. */
export function followLinks() {
  history.scrollRestoration = "manual";
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const modified = event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
    if (!link?.href || modified || event.defaultPrevented || link.target || link.hasAttribute("download")) return;
    const to = new URL(link.href);
    const own = to.origin === location.origin && !/^\/(api|static|sound)\//.test(to.pathname);
    if (!own || (to.hash && to.pathname === location.pathname && to.search === location.search)) return;
    event.preventDefault();
    go(to.pathname + to.search + to.hash);
  });
  window.addEventListener("popstate", () => render({ back: true }));
}
