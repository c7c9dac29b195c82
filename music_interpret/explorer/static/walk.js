// From one latent to the next: in the order of the list that the address carries, else by number.

import { go, params, queryOf } from "./address.js";
import { get } from "./api.js";
import { featureLink, Latents, listQuery } from "./latents.js";
import { fill, h } from "./views/dom.js";
import { whole } from "./views/words.js";

export class Walk {
  /** @param {number} latent @param {number} n how many there are. */
  constructor(latent, n) {
    this.latent = latent;
    this.n = n;
    this.query = params();
    this.listed = [...listQuery(this.query, { page: false }).keys()].length > 0;
    /** The latents of the list, once it is read. @type {number[] | null} */
    this.order = null;
    this.element = h("nav", { class: "walk", "aria-label": "Other latents" });
    this.draw();
    if (this.listed) this.readList().catch(() => {});
  }

  async readList() {
    const latents = new Latents(await get("/api/latents"));
    this.order = latents.chosen(this.query).map((i) => latents.latent[i]);
    this.draw();
  }

  /** The latent so many places on; null where there is none. @param {number} by */
  neighbour(by) {
    if (!this.order) return this.latent + by >= 0 && this.latent + by < this.n ? this.latent + by : null;
    const at = this.order.indexOf(this.latent);
    return this.order[at < 0 ? 0 : at + by] ?? null;
  }

  /** @param {number} to */
  link(to) {
    const examples = this.query.get("examples");
    return featureLink(to, this.query) + (examples ? `${this.listed ? "&" : "?"}examples=${examples}` : "");
  }

  draw() {
    /** @param {number} by @param {string} words @param {string} title */
    const step = (by, words, title) => {
      const to = this.neighbour(by);
      const props = { class: "quiet small", rel: by < 0 ? "prev" : "next", title };
      if (to === null) return h("span", { ...props, "aria-disabled": "true" }, words);
      return h("a", { ...props, href: this.link(to) }, words);
    };
    const back = `/${queryOf(listQuery(this.query))}`;
    fill(
      this.element,
      h("a", { class: "quiet small", href: back }, this.listed ? "↑ The list" : "↑ All latents"),
      step(-1, "← Previous", "Previous latent (k)"),
      h("span", { class: "muted small" }, this.where()),
      step(1, "Next →", "Next latent (j)"),
    );
  }

  where() {
    if (!this.order) return `Latent ${this.latent} of ${whole(this.n)}`;
    const at = this.order.indexOf(this.latent);
    const all = whole(this.order.length);
    return at < 0 ? `not among the ${all} of the list` : `${whole(at + 1)} of ${all} in the list`;
  }

  /** @param {number} by */
  step(by) {
    const to = this.neighbour(by);
    if (to !== null) go(this.link(to));
  }
}
