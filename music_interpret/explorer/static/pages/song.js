// A whole piece: hear it, point at notes to see which latents they fire, and lay latents and concepts under it.

import { go, params, queryOf, setQuery } from "../address.js";
import { ApiError, get } from "../api.js";
import { announce, fill, h, quiet } from "../dom.js";
import { Latents } from "../latents.js";
import { legend, PianoRoll, stopPlaying } from "../pianoroll.js";
import { NotePanel } from "../song/note.js";
import { songPicker } from "../song/picker.js";
import { Sound } from "../song/sound.js";
import { Strips } from "../song/strips.js";
import { SPLITS, whole } from "../words.js";

const ZOOMS = [12, 20, 32, 48, 72, 110];
const USUAL = 32;
const MOST = 12; // tracks or strips that the server draws at once
const list = (text, limit = MOST) => [...new Set((text ?? "").split(",").filter(Boolean))].slice(0, limit);

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
  const page = new SongPage(song, new Latents(columns), concepts, songs);
  fill(main, page.element);
  page.start(query);
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
  constructor(song, latents, concepts, songs) {
    Object.assign(this, { song, latents });
    const { roll } = song;
    this.known = new Set(concepts.map((concept) => concept.name));
    this.noteOf = new Map(roll.notes.token.map((token, note) => [token, note]));
    this.place = h("div", { class: "song-roll" });
    this.key = h("span", { class: "legend-place" });
    this.sound = new Sound(song);
    this.strips = new Strips(song, {
      latents,
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
          h("div", { class: "row adders" }, this.trackAdder(), this.conceptAdder(concepts)),
        ),
        h("aside", { class: "rail", "aria-label": "The note" }, this.panel.element),
      ),
    );
  }

  head(roll, songs) {
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
          `${SPLITS[roll.split] ?? roll.split}; ${whole(roll.notes.onset.length)} notes, ${whole(roll.tokens)} tokens, ${roll.lanes.map((lane) => lane.name).join(", ")}.${estimated}`,
        ),
      ),
      songPicker(songs, roll.song),
    );
  }

  start(query) {
    this.pixels = ZOOMS.includes(Number(query.get("zoom"))) ? Number(query.get("zoom")) : USUAL;
    this.build();
    this.update(query, true);
  }

  build() {
    const left = this.roll ? this.leftStep() : null;
    this.roll?.destroy();
    fill(this.place);
    this.roll = new PianoRoll(this.place, this.song.roll, {
      pixelsPerBeat: this.pixels,
      height: Math.max(260, Math.min(420, window.innerHeight - 420)),
      onHover: (note) => this.point(note),
      onClick: (note) => this.keep(note),
      onSeek: (step) => this.sound.seek(step),
    });
    this.sound.attach(this.roll);
    this.strips.attach(this.roll);
    this.roll.scroller.addEventListener("scroll", () => this.strips.draw());
    this.roll.scroller.addEventListener(
      "scroll",
      quiet(() => this.rememberPlace(), 300),
    );
    if (left !== null) this.scrollTo(left);
  }

  /** Steps a pixel, from the roll's own places. */
  stepsPerPixel() {
    const { start } = this.song.roll;
    return 100 / (this.roll.xOf(start + 100) - this.roll.xOf(start));
  }

  leftStep() {
    return Math.round(this.roll.scroller.scrollLeft * this.stepsPerPixel()) + this.song.roll.start;
  }

  scrollTo(step) {
    this.roll.scroller.scrollLeft = (step - this.song.roll.start) / this.stepsPerPixel();
  }

  rememberPlace() {
    if (!this.roll.element.isConnected || this.sound.playing) return;
    setQuery({ at: this.leftStep() > this.song.roll.start ? this.leftStep() : null }, { replace: true });
  }

  zoom(by) {
    const next = ZOOMS[ZOOMS.indexOf(this.pixels) + by];
    if (!next) return;
    this.pixels = next;
    setQuery({ zoom: next === USUAL ? null : next }, { replace: true });
    this.build();
    this.colour();
    this.roll.ring(this.kept);
  }

  zoomButton(by, title, sign) {
    return h(
      "button",
      { type: "button", class: "icon", "aria-label": title, title, onclick: () => this.zoom(by) },
      sign,
    );
  }

  change(changes) {
    setQuery(changes);
    this.update(params());
  }

  toggleTrack(latent) {
    const on = this.tracks.includes(latent);
    const next = on ? this.tracks.filter((one) => one !== latent) : [...this.tracks, latent];
    if (next.length > MOST) return announce("Twelve tracks are the most.");
    this.change({ tracks: next.join(","), latent: on ? (this.focused === latent ? null : this.focused) : latent });
  }

  /** Show what the address says. */
  update(query, first = false) {
    this.tracks = list(query.get("tracks"))
      .map(Number)
      .filter((latent) => this.latents.place.has(latent));
    this.concepts = list(query.get("concepts")).filter((name) => this.known.has(name));
    const wanted = Number(query.get("latent"));
    this.focused = query.get("latent") && this.latents.place.has(wanted) ? wanted : (this.tracks[0] ?? null);
    this.kept = this.noteOf.get(Number(query.get("token"))) ?? null;
    if (!query.get("token")) this.kept = null;
    this.roll.ring(this.kept);
    this.panel.keep(
      this.kept,
      !this.noteOf.has(Number(query.get("token"))) && query.get("token") ? Number(query.get("token")) : null,
    );
    if (query.get("at")) this.scrollTo(Number(query.get("at")));
    else if (first && this.kept !== null)
      this.scrollTo(Math.max(0, this.song.roll.notes.onset[this.kept] - 3 * this.song.roll.resolution));
    this.fetchStrips();
  }

  async fetchStrips() {
    const key = this.song.roll.song;
    this.turn = (this.turn ?? 0) + 1;
    const { turn } = this;
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
      this.strips.show(
        this.tracks.map((latent) => this.shown.get(latent)),
        strips.strips,
        this.focused,
      );
    } catch (error) {
      if (turn !== this.turn) return;
      this.strips.fail(error.message);
    }
    this.colour();
  }

  /** The roll in the colours of the latent in the focus. */
  colour() {
    const track = this.shown?.get(this.focused);
    fill(this.key);
    if (!track) return this.roll.setValues(null);
    this.roll.setValues(
      this.song.roll.notes.token.map((token) => track.values[token]),
      track.max,
    );
    legend(this.key, track.max, `latent ${track.latent}`);
  }

  point(note) {
    this.panel.point(note);
    this.strips.mark(note);
  }

  keep(note) {
    const token = this.song.roll.notes.token[note];
    setQuery({ token: this.kept === note ? null : token });
    this.kept = this.kept === note ? null : note;
    this.roll.ring(this.kept);
    this.panel.keep(this.kept);
  }

  trackAdder() {
    const field = h("input", {
      type: "number",
      min: 0,
      max: this.latents.length - 1,
      id: "add-track",
      placeholder: "number",
      "aria-label": "Latent to add as a track",
    });
    const add = () => {
      const latent = Number(field.value);
      if (field.value === "" || !this.latents.place.has(latent)) return;
      field.value = "";
      if (!this.tracks.includes(latent)) this.toggleTrack(latent);
    };
    field.addEventListener("keydown", (event) => event.key === "Enter" && add());
    return h(
      "span",
      { class: "field" },
      h("label", { for: "add-track", class: "title" }, "Add latent"),
      field,
      h("button", { type: "button", class: "quiet small", onclick: add }, "Add track"),
    );
  }

  conceptAdder(concepts) {
    const groups = Map.groupBy
      ? Map.groupBy(concepts, (concept) => concept.group)
      : concepts.reduce((all, one) => all.set(one.group, [...(all.get(one.group) ?? []), one]), new Map());
    const select = h(
      "select",
      { id: "add-concept" },
      h("option", { value: "" }, "choose …"),
      [...groups].map(([group, members]) =>
        h(
          "optgroup",
          { label: group },
          members.map((concept) => h("option", { value: concept.name, title: concept.definition }, concept.name)),
        ),
      ),
    );
    select.addEventListener("change", () => {
      const name = select.value;
      select.value = "";
      if (name && !this.concepts.includes(name))
        this.change({ concepts: [...this.concepts, name].slice(-MOST).join(",") });
    });
    return h(
      "span",
      { class: "field" },
      h("label", { for: "add-concept", class: "title" }, "Compare with concept"),
      select,
    );
  }

  destroy() {
    this.turn = null;
    stopPlaying();
    this.sound.destroy();
    this.strips.destroy();
    this.roll?.destroy();
  }
}
