// A whole piece: hear it, point at notes to see which latents they fire, and lay latents and concepts under it.

import { go, params, queryOf, setQuery } from "../address.js";
import { announce } from "../announce.js";
import { ApiError, get, messageOf } from "../api.js";
import { help } from "../help.js";
import { Latents } from "../latents.js";
import { conceptAdder, trackAdder } from "../song/adders.js";
import { NotePanel } from "../song/note.js";
import { songPicker } from "../song/picker.js";
import { Sound } from "../song/sound.js";
import { Strips } from "../song/strips.js";
import { fill, h, quiet } from "../views/dom.js";
import { legend, PianoRoll, stopPlaying } from "../views/pianoroll.js";
import { counted, SPLITS } from "../views/words.js";

/** @import { Changes, Concept, Shown, Song, Songs, Track, Visit } from "../types" */
/** @import { Roll } from "../views/shapes" */

const ZOOMS = [12, 20, 32, 48, 72, 110];
const USUAL = 32;
const MOST = 12; // tracks or strips that the server draws at once

/** @param {string | null} text */
const list = (text) => [...new Set((text ?? "").split(",").filter(Boolean))].slice(0, MOST);

/** @param {HTMLElement} main @param {Visit} visit @returns {Promise<Shown | null>} */
export async function show(main, { given, query, signal }) {
  if (!given) {
    const songs = await get("/api/songs");
    if (!songs.song.length) throw new ApiError("There are no songs.", 404);
    go(`/song/${songs.song[0]}${queryOf(query)}`, { replace: true });
    return null;
  }
  fill(main, h("div", { class: "waiting", "aria-hidden": "true" }));
  const [songs, song, columns, concepts] = await Promise.all([
    get("/api/songs"),
    get(`/api/song/${given}`, signal),
    get("/api/latents"),
    get("/api/concepts"),
  ]);
  const page = new SongPage(song, new Latents(columns), concepts, songs, Number(query.get("zoom")));
  fill(main, page.element);
  page.roll.drawNow();
  page.update(query, true);
  return {
    title: song.roll.name,
    update: (now) => page.update(now),
    destroy: () => page.destroy(),
    keys: {
      " ": () => page.sound.toggle(),
      "+": () => page.zoom(1),
      "-": () => page.zoom(-1),
      Home: () => page.sound.seek(page.song.roll.start),
    },
    told: [
      ["Space", "play or stop"],
      ["← / →", "in the roll: from note to note; Enter keeps the note"],
      ["+ / -", "wider, narrower"],
    ],
  };
}

class SongPage {
  /**
   * @param {Song} song
   * @param {Latents} latents
   * @param {Concept[]} concepts
   * @param {Songs} songs
   * @param {number} zoom pixels per beat that the address asks for.
   */
  constructor(song, latents, concepts, songs, zoom) {
    this.song = song;
    this.latents = latents;
    /** Latents under the roll. @type {number[]} */
    this.tracks = [];
    /** Concepts under the roll. @type {string[]} */
    this.concepts = [];
    /** The latent whose activations colour the notes. @type {number | null} */
    this.focused = null;
    /** The note whose latents stay shown. @type {number | null} */
    this.kept = null;
    /** Tracks that were read, by latent. @type {Map<number | null, Track>} */
    this.shown = new Map();
    /** Counts what was asked for, so that late answers are passed over. */
    this.turn = 0;
    this.pixels = ZOOMS.find((pixels) => pixels === zoom) ?? USUAL;
    const { roll } = song;
    this.known = new Set(concepts.map((concept) => concept.name));
    this.noteOf = new Map(roll.notes.token.map((token, note) => [token, note]));
    this.place = h("div", { class: "song-roll" });
    this.key = h("span", { class: "legend-place" });
    this.sound = new Sound(song);
    this.strips = new Strips(song, latents, {
      onFocus: (latent) => this.change({ latent }),
      onRemoveTrack: (latent) =>
        this.change({
          tracks: this.tracks.filter((one) => one !== latent).join(","),
          latent: this.focused === latent ? null : params().get("latent"),
        }),
      onRemoveConcept: (name) => this.change({ concepts: this.concepts.filter((one) => one !== name).join(",") }),
    });
    this.panel = new NotePanel(song, latents, {
      tracks: () => this.tracks,
      onTrack: (latent) => this.toggleTrack(latent),
    });
    this.roll = this.makeRoll();
    const adders = [
      trackAdder(latents.length, (latent) => this.addTrack(latent)),
      conceptAdder(concepts, (name) => this.addConcept(name)),
    ];
    this.element = h(
      "article",
      { class: "song" },
      this.head(roll, songs),
      h(
        "div",
        { class: "song-two" },
        h(
          "div",
          { class: "wider" },
          h(
            "div",
            { class: "row song-tools" },
            this.sound.element,
            h("span", { class: "row zooms" }, this.zoomButton(-1, "Narrower", "−"), this.zoomButton(1, "Wider", "+")),
            this.key,
          ),
          this.place,
          this.strips.element,
          h("div", { class: "row adders" }, adders),
        ),
        h("aside", { class: "rail", "aria-label": "The note" }, this.panel.element),
      ),
    );
  }

  /** @param {Roll} roll @param {Songs} songs */
  head(roll, songs) {
    const notes = `${counted(roll.notes.onset.length, "note")}, ${counted(roll.tokens, "token")}`;
    const lanes = roll.lanes.map((lane) => lane.name).join(", ");
    const estimated = roll.bars_estimated ? " Bar lines are an estimate." : "";
    return h(
      "header",
      { class: "song-head" },
      h(
        "div",
        {},
        h("h1", { tabindex: "-1" }, roll.name),
        h(
          "p",
          { class: "muted" },
          `${SPLITS[roll.split] ?? roll.split}; ${notes}, ${lanes}.${estimated}`,
          estimated && help("bars_estimated", "an estimated bar line"),
        ),
      ),
      songPicker(songs, roll.song),
    );
  }

  makeRoll() {
    const roll = new PianoRoll(this.place, this.song.roll, {
      pixelsPerBeat: this.pixels,
      height: Math.max(260, Math.min(420, window.innerHeight - 420)),
      onHover: (note) => this.point(note),
      onClick: (note) => this.keep(note),
      onSeek: (step) => this.sound.seek(step),
    });
    this.sound.attach(roll);
    this.strips.attach(roll);
    const remember = quiet(() => this.rememberPlace(), 300);
    roll.scroller.addEventListener("scroll", () => {
      this.strips.draw();
      remember();
    });
    return roll;
  }

  /** Steps per pixel, from the roll's own places. */
  stepsPerPixel() {
    const { start } = this.song.roll;
    return 100 / (this.roll.xOf(start + 100) - this.roll.xOf(start));
  }

  leftStep() {
    return Math.round(this.roll.scroller.scrollLeft * this.stepsPerPixel()) + this.song.roll.start;
  }

  /** @param {number} step */
  scrollTo(step) {
    this.roll.scroller.scrollLeft = (step - this.song.roll.start) / this.stepsPerPixel();
  }

  rememberPlace() {
    if (!this.roll.element.isConnected || this.sound.playing) return;
    setQuery({ at: this.leftStep() > this.song.roll.start ? this.leftStep() : null }, { replace: true });
  }

  /** @param {number} by */
  zoom(by) {
    const next = ZOOMS[ZOOMS.indexOf(this.pixels) + by];
    if (!next) return;
    this.pixels = next;
    setQuery({ zoom: next === USUAL ? null : next }, { replace: true });
    const left = this.leftStep();
    this.roll.destroy();
    this.roll = this.makeRoll();
    this.scrollTo(left);
    this.colour();
    this.roll.ring(this.kept);
  }

  /** @param {number} by @param {string} title @param {string} sign */
  zoomButton(by, title, sign) {
    return h(
      "button",
      { type: "button", class: "icon", "aria-label": title, title, onclick: () => this.zoom(by) },
      sign,
    );
  }

  /** @param {Changes} changes */
  change(changes) {
    setQuery(changes);
    this.update(params());
  }

  /** @param {number} latent */
  toggleTrack(latent) {
    const on = this.tracks.includes(latent);
    const next = on ? this.tracks.filter((one) => one !== latent) : [...this.tracks, latent];
    if (next.length > MOST) return announce("Twelve tracks are the most.");
    this.change({ tracks: next.join(","), latent: on ? (this.focused === latent ? null : this.focused) : latent });
  }

  /** @param {number} latent */
  addTrack(latent) {
    if (!this.tracks.includes(latent)) this.toggleTrack(latent);
  }

  /** @param {string} name */
  addConcept(name) {
    if (this.concepts.includes(name)) return;
    this.change({ concepts: [...this.concepts, name].slice(-MOST).join(",") });
  }

  /** Show what the address says. @param {URLSearchParams} query */
  update(query, first = false) {
    this.tracks = list(query.get("tracks"))
      .map(Number)
      .filter((latent) => this.latents.place.has(latent));
    this.concepts = list(query.get("concepts")).filter((name) => this.known.has(name));
    const wanted = Number(query.get("latent"));
    this.focused = query.get("latent") && this.latents.place.has(wanted) ? wanted : (this.tracks[0] ?? null);
    const token = query.get("token") ? Number(query.get("token")) : null;
    this.kept = token === null ? null : (this.noteOf.get(token) ?? null);
    this.roll.ring(this.kept);
    this.panel.keep(this.kept, token);
    if (query.get("at")) this.scrollTo(Number(query.get("at")));
    else if (first && this.kept !== null)
      this.scrollTo(Math.max(0, this.song.roll.notes.onset[this.kept] - 3 * this.song.roll.resolution));
    this.fetchStrips();
  }

  async fetchStrips() {
    const key = this.song.roll.song;
    const turn = ++this.turn;
    const shown = [...new Set([...(this.focused === null ? [] : [this.focused]), ...this.tracks])].slice(0, MOST);
    this.strips.wait();
    try {
      const [tracks, strips] = await Promise.all([
        shown.length ? get(`/api/song/${key}/tracks?latents=${shown.join(",")}`) : { tracks: [] },
        this.concepts.length
          ? get(`/api/song/${key}/concepts?names=${encodeURIComponent(this.concepts.join(","))}`)
          : { strips: [] },
      ]);
      if (turn !== this.turn) return;
      this.shown = new Map(tracks.tracks.map((track) => [track.latent, track]));
      const under = this.tracks.flatMap((latent) => this.shown.get(latent) ?? []);
      this.strips.show(under, strips.strips, this.focused);
    } catch (error) {
      if (turn !== this.turn) return;
      this.strips.fail(messageOf(error));
    }
    this.colour();
  }

  /** The roll in the colours of the latent in the focus. */
  colour() {
    const track = this.shown.get(this.focused);
    fill(this.key);
    if (!track) return this.roll.setValues(null);
    this.roll.setValues(
      this.song.roll.notes.token.map((token) => track.values[token]),
      track.max,
    );
    this.key.append(legend(track.max, `latent ${track.latent}`));
  }

  /** @param {number | null} note */
  point(note) {
    this.panel.point(note);
    this.strips.mark(note);
  }

  /** @param {number} note */
  keep(note) {
    const token = this.song.roll.notes.token[note];
    setQuery({ token: this.kept === note ? null : token });
    this.kept = this.kept === note ? null : note;
    this.roll.ring(this.kept);
    this.panel.keep(this.kept);
  }

  destroy() {
    this.turn += 1;
    stopPlaying();
    this.sound.destroy();
    this.strips.destroy();
    this.roll.destroy();
  }
}
