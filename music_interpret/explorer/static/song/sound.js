// The sound of a piece: an ordinary <audio> with a play button, a place in it and the time.

import { isAbort } from "../api.js";
import { h } from "../views/dom.js";
import { playAlone } from "../views/pianoroll.js";
import { clock } from "../views/words.js";

/** @import { Song } from "../types" */
/** @import { PianoRoll } from "../views/pianoroll.js" */

export class Sound {
  /** @param {Song} song */
  constructor({ roll, sound }) {
    this.piece = roll;
    /** @type {PianoRoll | null} */
    this.roll = null;
    this.seconds = (roll.end - roll.start) * roll.seconds_per_step;
    this.audio = h("audio", { src: sound, preload: "none" });
    this.button = h(
      "button",
      { type: "button", class: "button play", "aria-pressed": "false", onclick: () => this.toggle() },
      "▶ Play",
    );
    this.place = h("input", {
      type: "range",
      min: 0,
      max: this.seconds.toFixed(2),
      step: "any",
      value: 0,
      "aria-label": "Place in the piece",
    });
    this.time = h("span", { class: "number muted small" }, `0:00 / ${clock(this.seconds)}`);
    this.said = h("span", { class: "small failed", role: "status" });
    this.place.addEventListener("input", () => this.seekSeconds(Number(this.place.value)));
    for (const name of ["play", "pause", "ended", "timeupdate", "seeked", "waiting", "playing"])
      this.audio.addEventListener(name, () => this.show());
    this.audio.addEventListener("error", () => (this.said.textContent = "This piece cannot be played."));
    this.element = h(
      "div",
      { class: "sound", role: "group", "aria-label": "Sound" },
      this.button,
      this.place,
      this.time,
      this.said,
      this.audio,
    );
  }

  get playing() {
    return !this.audio.paused;
  }

  /** @param {PianoRoll} roll */
  attach(roll) {
    this.roll = roll;
    roll.follow(this.audio);
    roll.play = () => this.toggle();
  }

  toggle() {
    if (this.playing) return this.audio.pause();
    this.said.textContent = "";
    if (this.audio.ended) this.audio.currentTime = 0;
    playAlone(this.audio).catch((error) => {
      if (!isAbort(error)) this.said.textContent = "This piece cannot be played.";
    });
  }

  /** Go to a step of the piece. @param {number} step */
  seek(step) {
    this.seekSeconds((step - this.piece.start) * this.piece.seconds_per_step);
  }

  /** @param {number} seconds */
  seekSeconds(seconds) {
    this.audio.currentTime = seconds;
    this.roll?.setPlayhead(this.piece.start + seconds / this.piece.seconds_per_step);
    this.show();
  }

  show() {
    const waits = this.playing && this.audio.readyState < 3;
    this.button.textContent = waits ? "… Loading" : this.playing ? "■ Stop" : "▶ Play";
    this.button.setAttribute("aria-pressed", String(this.playing));
    const now = Math.min(this.audio.currentTime, this.seconds);
    this.place.value = String(now);
    this.place.setAttribute("aria-valuetext", `${clock(now)} of ${clock(this.seconds)}`);
    this.time.textContent = `${clock(now)} / ${clock(this.seconds)}`;
  }

  destroy() {
    this.audio.pause();
    this.audio.removeAttribute("src");
  }
}
