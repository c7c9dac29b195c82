// An example of a latent as a card: the roll, what fired, and buttons to hear it.

import { h, svg } from "../dom.js";
import { inTheme } from "../theme.js";
import { number } from "../words.js";
import { colourOf } from "./colours.js";
import { playAlone } from "./player.js";
import { PianoRoll } from "./roll.js";
import { adoptStyle } from "./style.js";
import { noteName, placeWords } from "./words.js";

/** @import { Excerpt } from "../shapes" */
/** @import { CardOptions } from "../types" */

const ICONS = { play: "M1 0 L11 6 L1 12 Z", stop: "M1 1 H11 V11 H1 Z" };
const MOST_OTHERS = 3;

/** @param {Excerpt} excerpt @param {CardOptions} options */
export function excerptCard(excerpt, options = {}) {
  const place = h("div", { class: "mi-card-roll" });
  const article = h("article", { class: "mi-card" }, cardHead(excerpt, options), place);
  adoptStyle(article);
  const roll = new PianoRoll(place, excerpt, options);
  article.pianoRoll = roll;
  const foot = [...(options.play === false ? [] : soundButtons(article, excerpt, options, roll)), alsoFires(excerpt)];
  if (foot.some(Boolean)) article.append(h("div", { class: "mi-card-foot" }, foot));
  return article;
}

/** @param {Excerpt} excerpt @param {CardOptions} options */
function cardHead(excerpt, { songUrl, maxValue, colours }) {
  const { roll, note, value, values, text } = excerpt;
  const href = songUrl?.(excerpt);
  const share = value / (maxValue ?? (Math.max(value, ...values) || 1));
  return h(
    "div",
    { class: "mi-card-head" },
    href ? h("a", { class: "mi-card-song", href }, roll.name) : h("span", { class: "mi-card-song" }, roll.name),
    h("span", { class: "mi-card-split" }, roll.split),
    h(
      "span",
      { class: "mi-card-value", title: `activation of ${note === null ? text : "the ringed note"}` },
      inTheme(h("i"), (theme) => colourOf(share, colours ?? theme)),
      number(value),
    ),
    h("span", { class: "mi-card-place" }, placeLine(excerpt)),
  );
}

/** @param {Excerpt} excerpt */
function placeLine({ roll, note, text, quantile }) {
  const { onset } = roll.notes;
  const parts = [note === null ? text : `${noteName(roll, note)}, ${placeWords(roll, onset[note])}`];
  if (roll.bars_estimated) parts.push("bar lines estimated");
  if (quantile !== undefined) parts.push(`stronger than ${Math.round(quantile * 100)} % of its firings`);
  return parts.join(" · ");
}

/** Firing tokens that are no notes, the nearest first. @param {Excerpt} excerpt */
function alsoFires({ others, token }) {
  const found = others.filter((other) => other.token !== token);
  if (!found.length) return null;
  found.sort((a, b) => Math.abs(a.token - token) - Math.abs(b.token - token));
  const words = found.slice(0, MOST_OTHERS).map(({ text, value }) => `${text} (${number(value)})`);
  const more = found.length > MOST_OTHERS ? ` and ${found.length - MOST_OTHERS} more` : "";
  return h("span", { class: "mi-card-more" }, `also fires on ${words.join(", ")}${more}`);
}

/**
 * Buttons for the sounds that there are, and a place for what goes wrong.
 * @param {HTMLElement} article
 * @param {Excerpt} excerpt
 * @param {CardOptions} options
 * @param {PianoRoll} roll
 */
function soundButtons(article, { sound, sound_without, note }, { soundUrl = (address) => address }, roll) {
  const { voice } = roll.roll.notes;
  const status = h("span", { class: "mi-card-status", role: "status" });
  const without = (/** @type {number} */ other) => note !== null && voice[other] === voice[note];
  const urls = [sound && soundUrl(sound), sound_without && soundUrl(sound_without)];
  /** @type {SoundButton[]} */
  const sounds = [];
  if (urls[0]) sounds.push(new SoundButton(article, "Play", urls[0], null, roll, status));
  if (urls[1]) sounds.push(new SoundButton(article, "Without this voice", urls[1], without, roll, status));
  if (!sounds.length) return [];
  for (const one of sounds) one.others = sounds.filter((other) => other !== one);
  roll.play = () => sounds[0].toggle();
  return [...sounds.map(({ button }) => button), status];
}

/** A button that plays and stops a sound, which is loaded when it is first wanted. */
class SoundButton {
  /**
   * @param {HTMLElement} article where the <audio> goes.
   * @param {string} words
   * @param {string} url
   * @param {((note: number) => boolean) | null} dim the notes that are not in the sound.
   * @param {PianoRoll} roll follows it.
   * @param {HTMLElement} status
   */
  constructor(article, words, url, dim, roll, status) {
    this.article = article;
    this.words = words;
    this.url = url;
    this.dim = dim;
    this.roll = roll;
    this.status = status;
    /** The card's other sounds. @type {SoundButton[]} */
    this.others = [];
    /** @type {HTMLAudioElement | null} */
    this.audio = null;
    this.button = h("button", { class: "mi-card-play", type: "button", onclick: () => this.toggle() });
    this.label("play");
  }

  /** @param {"play" | "stop"} icon */
  label(icon) {
    const drawn = svg("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, svg("path", { d: ICONS[icon] }));
    this.button.replaceChildren(drawn, this.words);
  }

  toggle() {
    const audio = this.audio ?? this.load();
    if (audio.paused) return this.play(audio);
    audio.pause();
    audio.currentTime = 0;
  }

  load() {
    const audio = h("audio", { src: this.url });
    for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, () => this.show(audio));
    audio.addEventListener("error", () => {
      this.status.textContent = "This sound cannot be played.";
    });
    this.article.append(audio);
    this.audio = audio;
    return audio;
  }

  /** It goes on where the other was, so that the voice can be heard to come and go. @param {HTMLAudioElement} audio */
  play(audio) {
    const other = this.others.find((one) => one.audio && !one.audio.paused);
    audio.currentTime = other?.audio?.currentTime ?? 0;
    this.roll.follow(audio);
    this.status.textContent = "";
    playAlone(audio).catch(() => {});
  }

  /** @param {HTMLAudioElement} audio */
  show(audio) {
    const on = !audio.paused;
    this.button.setAttribute("aria-pressed", String(on));
    this.label(on ? "stop" : "play");
    if (this.roll.audio === audio) this.roll.dim(on ? this.dim : null);
  }
}
