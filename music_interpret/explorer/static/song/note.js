// The note that is pointed at or kept, and the latents it fires most.

import { bar } from "../charts.js";
import { fill, h } from "../dom.js";
import { dot } from "../groups.js";
import { pitchName, placeOf } from "../pianoroll.js";
import { fixed } from "../words.js";

export class NotePanel {
  /** @param {{tracks(), onTrack(latent)}} does: the tracks of now, and what adds or takes one away. */
  constructor(song, latents, does) {
    Object.assign(this, { song, latents, does });
    this.element = h("section", { class: "note", "aria-live": "off" });
    this.kept = null;
  }

  /** A note that is pointed at; the kept one comes back when the pointer leaves. */
  point(note) {
    if (note !== null) this.show(this.song.roll.notes.token[note], note);
    else this.show(this.keptToken, this.kept);
  }

  keep(note, token = null) {
    this.kept = note;
    this.keptToken = note === null ? token : this.song.roll.notes.token[note];
    this.show(this.keptToken, note);
  }

  show(token, note) {
    if (token === null || token === undefined || !this.song.tokens[token]) {
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

  words(note) {
    const { roll } = this.song;
    const { bar: number, beat } = placeOf(roll, roll.notes.onset[note]);
    return `${pitchName(roll.notes.pitch[note])}${number === null ? "" : `, ${number < 1 ? "upbeat" : `bar ${number}`}`}, beat ${Number(beat.toFixed(2))}`;
  }

  row(latent, value) {
    const { latents } = this;
    const i = latents.place.get(latent);
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
