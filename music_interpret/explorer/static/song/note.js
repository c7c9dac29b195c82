// The note that is pointed at or kept, and the latents it fires most.

import { bar } from "../views/bar.js";
import { fill, h } from "../views/dom.js";
import { dot } from "../views/groups.js";
import { noteName, placeWords } from "../views/pianoroll.js";
import { fixed } from "../views/words.js";

/** @import { Latents } from "../latents.js" */
/** @import { Song } from "../types" */

export class NotePanel {
  /**
   * @param {Song} song
   * @param {Latents} latents
   * @param {{tracks(): number[], onTrack(latent: number): void}} does the tracks of now, and what adds or removes one.
   */
  constructor(song, latents, does) {
    this.song = song;
    this.latents = latents;
    this.does = does;
    this.element = h("section", { class: "note", "aria-live": "off" });
    /** @type {number | null} */
    this.kept = null;
    /** @type {number | null} */
    this.keptToken = null;
  }

  /** A note that is pointed at; the kept one comes back when the pointer leaves. @param {number | null} note */
  point(note) {
    if (note !== null) this.show(this.song.roll.notes.token[note], note);
    else this.show(this.keptToken, this.kept);
  }

  /** @param {number | null} note @param {number | null} token where it is no note. */
  keep(note, token = null) {
    this.kept = note;
    this.keptToken = note === null ? token : this.song.roll.notes.token[note];
    this.show(this.keptToken, note);
  }

  /** @param {number | null} token @param {number | null} note */
  show(token, note) {
    if (token === null || !this.song.tokens[token]) {
      fill(
        this.element,
        h("h2", {}, "A note's latents"),
        h(
          "p",
          { class: "muted" },
          "Point at a note to see which latents it fires most; click to keep it. With the keyboard: focus the roll, ← and →, Enter.",
        ),
      );
      return;
    }
    const found = this.song.strongest.latents[token];
    const values = this.song.strongest.values[token];
    fill(
      this.element,
      h("h2", {}, note === null ? `Token ${token}` : this.words(note)),
      h("p", { class: "muted small" }, this.song.tokens[token]),
      found.length
        ? h(
            "ol",
            { class: "strongest" },
            found.map((latent, i) => this.row(latent, values[i])),
          )
        : h("p", { class: "muted" }, "No latent fires on it."),
    );
  }

  /** @param {number} note */
  words(note) {
    const { roll } = this.song;
    return `${noteName(roll, note)}, ${placeWords(roll, roll.notes.onset[note])}`;
  }

  /** @param {number} latent @param {number} value */
  row(latent, value) {
    const { latents } = this;
    const i = latents.place.get(latent) ?? 0;
    const on = this.does.tracks().includes(latent);
    const name = latents.label[i] ? `“${latents.label[i]}”` : latents.name[i];
    const button = h(
      "button",
      {
        type: "button",
        class: "quiet small",
        "aria-pressed": String(on),
        "aria-label": `${on ? "Remove" : "Add"} track of latent ${latent}`,
        onclick: () => {
          this.does.onTrack(latent);
          const now = this.does.tracks().includes(latent);
          button.setAttribute("aria-pressed", String(now));
          button.textContent = now ? "− track" : "+ track";
        },
      },
      on ? "− track" : "+ track",
    );
    return h(
      "li",
      {},
      h(
        "a",
        { href: `/feature/${latent}` },
        dot(latents.groupOf(i)),
        h("span", { class: "number" }, ` ${latent} `),
        h("span", { class: name ? null : "muted" }, name ?? "no name"),
      ),
      h(
        "span",
        { class: "strongest-value" },
        bar(value / (latents.max[i] || 1)),
        h(
          "span",
          { class: "number muted small", title: `its largest anywhere is ${fixed(latents.max[i])}` },
          fixed(value),
        ),
        button,
      ),
    );
  }
}
