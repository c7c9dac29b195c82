// An example of a latent as a card: the roll, what fired, and buttons to hear it.

import { colourOf, inTheme } from "./colours.js";
import { make } from "./elements.js";
import { playAlone } from "./player.js";
import { PianoRoll } from "./roll.js";
import { adoptStyle } from "./style.js";
import { number, pitchName, placeWords } from "./words.js";

const ICONS = { play: "M1 0 L11 6 L1 12 Z", stop: "M1 1 H11 V11 H1 Z" };
const MOST_OTHERS = 3;

function icon(button, name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 12 12");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  button.replaceChildren(svg, button.dataset.words);
}

// An <article> for an excerpt. Options, all of which may be left out:
//   soundUrl(address) → the URL of a sound, or null where there is none; the address itself without it
//   play: false for no sound; songUrl(excerpt) → where the song's name leads
//   and maxValue, height, pixelsPerBeat, colours, onHover, onClick of the roll.
export function excerptCard(excerpt, options = {}) {
  const article = make("article", "mi-card");
  adoptStyle(article);
  head(article, excerpt, options);
  const { maxValue, height, pixelsPerBeat, colours, onHover, onClick, lanes } = options;
  const place = make("div", "mi-card-roll", article);
  const roll = new PianoRoll(place, excerpt, { maxValue, height, pixelsPerBeat, colours, onHover, onClick, lanes });
  article.pianoRoll = roll;
  const foot = make("div", "mi-card-foot", article);
  if (options.play !== false) buttons(article, foot, excerpt, options, roll);
  others(foot, excerpt);
  if (!foot.childNodes.length) foot.remove();
  return article;
}

function head(article, excerpt, options) {
  const { roll, note } = excerpt;
  const line = make("div", "mi-card-head", article);
  const href = options.songUrl?.(excerpt);
  const song = make(href ? "a" : "span", "mi-card-song", line, roll.name);
  if (href) song.href = href;
  make("span", "mi-card-split", line, roll.split);
  const value = make("span", "mi-card-value", line);
  const dot = make("i", "", value);
  value.append(number(excerpt.value));
  value.title = "activation of the ringed note";
  if (note === null) value.title = `activation of ${excerpt.text}`;
  const share = excerpt.value / (options.maxValue ?? (Math.max(excerpt.value, ...excerpt.values) || 1));
  const { colours } = options;
  inTheme(dot, (theme) => colourOf(share, colours ?? theme));
  make("span", "mi-card-place", line, placeLine(excerpt));
}

function placeLine(excerpt) {
  const { roll, note } = excerpt;
  const { pitch, onset } = roll.notes;
  const parts = [note === null ? excerpt.text : `${pitchName(pitch[note])}, ${placeWords(roll, onset[note])}`];
  if (roll.bars_estimated) parts.push("bar lines estimated");
  if (excerpt.quantile !== undefined)
    parts.push(`stronger than ${Math.round(excerpt.quantile * 100)} % of its firings`);
  return parts.join(" · ");
}

// Firing tokens that are no notes, the nearest first.
function others(foot, excerpt) {
  const found = (excerpt.others ?? []).filter((other) => other.token !== excerpt.token);
  if (!found.length) return;
  found.sort((a, b) => Math.abs(a.token - excerpt.token) - Math.abs(b.token - excerpt.token));
  const words = found.slice(0, MOST_OTHERS).map((other) => `${other.text} (${number(other.value)})`);
  const more = found.length > MOST_OTHERS ? ` and ${found.length - MOST_OTHERS} more` : "";
  make("span", "mi-card-more", foot, `also fires on ${words.join(", ")}${more}`);
}

function buttons(article, foot, excerpt, options, roll) {
  const soundUrl = options.soundUrl ?? ((address) => address);
  const status = make("span", "mi-card-status");
  status.setAttribute("role", "status");
  const voice = excerpt.note === null ? null : excerpt.roll.notes.voice[excerpt.note];
  const sounds = [
    { words: "Play", address: excerpt.sound, dim: null },
    {
      words: "Without this voice",
      address: excerpt.sound_without,
      dim: (note) => excerpt.roll.notes.voice[note] === voice,
    },
  ];
  const made = sounds
    .map((sound) => ({ ...sound, url: sound.address ? soundUrl(sound.address) : null }))
    .filter((sound) => sound.url)
    .map((sound) => soundButton(article, foot, sound, roll, status));
  // One goes on where the other was, so that the voice can be heard to come and go.
  for (const one of made) one.others = made.filter((other) => other !== one);
  if (made.length) foot.append(status);
  roll.play = made.length ? made[0].toggle : null;
}

function soundButton(article, foot, sound, roll, status) {
  const button = make("button", "mi-card-play", foot);
  button.type = "button";
  button.dataset.words = sound.words;
  icon(button, "play");
  const state = { audio: null, others: [] };
  const show = () => {
    const on = !state.audio.paused;
    button.setAttribute("aria-pressed", String(on));
    icon(button, on ? "stop" : "play");
    if (roll.audio === state.audio) roll.dim(on ? sound.dim : null);
  };
  const begin = () => {
    if (!state.audio) {
      state.audio = make("audio", "", article);
      state.audio.src = sound.url;
      for (const name of ["play", "pause", "ended"]) state.audio.addEventListener(name, show);
      state.audio.addEventListener("error", () => {
        status.textContent = "This sound cannot be played.";
      });
    }
    const other = state.others.find((one) => one.audio && !one.audio.paused);
    state.audio.currentTime = other ? other.audio.currentTime : 0;
    roll.follow(state.audio);
    status.textContent = "";
    playAlone(state.audio).catch(() => {});
  };
  state.toggle = () => {
    if (!state.audio || state.audio.paused) begin();
    else {
      state.audio.pause();
      state.audio.currentTime = 0;
    }
  };
  button.addEventListener("click", state.toggle);
  return state;
}
