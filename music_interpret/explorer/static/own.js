// A person's own label, note and star of a latent: kept as they are typed, and it says whether they are.

import { forget, get, send } from "./api.js";
import { help } from "./help.js";
import { h, quiet } from "./views/dom.js";

/** @import { Own } from "./types" */

export class OwnLabel {
  /** @param {number} latent @param {Own} own */
  constructor(latent, own) {
    this.latent = latent;
    this.kept = { ...own };
    this.label = h("input", {
      type: "text",
      id: "own-label",
      maxlength: 200,
      value: own.label,
      placeholder: "Your own words for it",
      autocomplete: "off",
    });
    this.note = h("textarea", { id: "own-note", maxlength: 10000, rows: 2, placeholder: "Note", "aria-label": "Note" });
    this.note.value = own.note;
    this.star = h("button", {
      type: "button",
      class: "star-button",
      "aria-pressed": String(own.star),
      "aria-label": "Star",
      title: "Star (s)",
    });
    this.said = h("span", { class: "muted small", role: "status" });
    /** @type {Promise<void>} */
    this.waits = Promise.resolve();
    const later = quiet(() => this.save(), 500);
    for (const field of [this.label, this.note]) {
      field.addEventListener("input", () => {
        this.say("…");
        later();
      });
      field.addEventListener("change", () => this.save());
    }
    this.label.addEventListener("keydown", (event) => event.key === "Enter" && this.save());
    this.star.addEventListener("click", () => this.toggleStar());
    this.element = h(
      "div",
      { class: "own" },
      h(
        "div",
        { class: "row" },
        h("label", { for: "own-label", class: "title" }, "Your label"),
        help("own", "your own label"),
        this.said,
      ),
      h("div", { class: "own-row" }, this.label, this.star),
      this.note,
    );
  }

  /** @returns {Own} */
  values() {
    return {
      label: this.label.value.trim(),
      note: this.note.value,
      star: this.star.getAttribute("aria-pressed") === "true",
    };
  }

  toggleStar() {
    this.star.setAttribute("aria-pressed", String(!this.values().star));
    this.save();
  }

  focus() {
    this.label.focus();
  }

  /** Keep what has changed; one request after the other, so that the last one wins. */
  save() {
    const now = this.values();
    const before = this.kept;
    if (JSON.stringify(now) === JSON.stringify(before)) return this.waits;
    this.kept = now;
    this.say("saving …");
    this.waits = this.waits
      .then(() => send("PUT", `/api/own/${this.latent}`, now))
      .then(
        async () => {
          if (this.kept === now) this.say("saved");
          await remember(this.latent, now);
        },
        (error) => {
          if (this.kept === now) this.kept = before;
          this.fail(error);
        },
      );
    return this.waits;
  }

  /** @param {string} text */
  say(text) {
    this.said.className = "muted small";
    this.said.replaceChildren(text);
  }

  /** @param {Error} error */
  fail(error) {
    this.said.className = "small failed";
    this.said.replaceChildren(
      `not saved: ${error.message} `,
      h("button", { type: "button", class: "quiet small", onclick: () => this.save() }, "Try again"),
    );
  }

  /** Before the page goes: what was typed last is kept too. */
  flush() {
    this.save();
  }
}

/** The list of latents that the page has already read learns of it. @param {number} latent @param {Own} own */
async function remember(latent, own) {
  try {
    const columns = await get("/api/latents");
    const i = columns.latent[latent] === latent ? latent : columns.latent.indexOf(latent);
    columns.label[i] = own.label || null;
    columns.star[i] = own.star;
  } catch {
    forget("/api/latents");
  }
}
