// All latents of the run as columns, and which of them, in which order, an address asks for.

import { params, queryOf } from "./address.js";

const NUMBERS = ["density", "max", "mean", "mcc", "f1", "gain", "x", "y"];
const RANGES = ["mcc", "density", "max"];
const CLEAR_GAIN = 0.1; // as in the features command

/** The parts of the query that say which latents are listed; they travel along to the latents' own pages. */
export const LIST_KEYS = [
  "q",
  "group",
  "concept",
  "needs",
  "named",
  "star",
  "own",
  "dead",
  "mcc",
  "density",
  "max",
  "box",
  "sort",
  "page",
];

export class Latents {
  /** @param columns the answer of /api/latents: columns of equal length, null for what a latent has not. */
  constructor(columns) {
    Object.assign(this, columns);
    this.length = columns.latent.length;
    for (const name of NUMBERS) this[name] = Float64Array.from(columns[name], (value) => value ?? NaN);
    this.place = new Map(columns.latent.map((latent, i) => [latent, i]));
    this.words = new Array(this.length);
    this.standing = this.standings();
  }

  /**
   * Each latent's place in the order that a list begins with: first names that say clearly more than their token does,
   * then other names, then none; among equals by MCC, but each concept's best before any concept's second.
   */
  standings() {
    const tier = (i) => (this.name[i] === null ? 2 : this.needs[i] !== "given" && this.gain[i] > CLEAR_GAIN ? 0 : 1);
    const ranked = [...this.latent.keys()].sort((a, b) => compare(this.mcc[a], this.mcc[b], -1) || a - b);
    const seen = new Map();
    const turn = new Int32Array(this.length);
    for (const i of ranked) {
      const kind = `${tier(i)} ${this.concept[i]}`;
      turn[i] = tier(i) === 2 ? 0 : (seen.get(kind) ?? 0);
      seen.set(kind, turn[i] + 1);
    }
    const place = new Int32Array(this.length);
    ranked
      .map((i, at) => [i, at])
      .sort(([a, x], [b, y]) => tier(a) - tier(b) || turn[a] - turn[b] || x - y)
      .forEach(([i], at) => {
        place[i] = at;
      });
    return place;
  }

  /** The group whose colour it has: that of its name, null for a latent without one. */
  groupOf(i) {
    return this.name[i] === null ? null : this.group[i];
  }

  live(i) {
    return this.density[i] > 0;
  }

  /** Own label, star of one latent changed. */
  setOwn(latent, { label, star }) {
    const i = this.place.get(latent);
    if (i === undefined) return;
    this.label[i] = label || null;
    this.star[i] = star;
    this.words[i] = undefined;
  }

  text(i) {
    this.words[i] ??=
      `${this.latent[i]} ${this.label[i] ?? ""} ${this.name[i] ?? ""} ${this.rule[i] ?? ""}`.toLowerCase();
    return this.words[i];
  }

  /** Places of the latents that an address's query asks for, in its order; `without` leaves one filter out. */
  chosen(query, without = null) {
    const test = this.tests(query, without);
    const found = [];
    for (let i = 0; i < this.length; i++) if (test.every((passes) => passes(i))) found.push(i);
    return this.sorted(found, query.get("sort"));
  }

  tests(query, without) {
    const has = (key) => key !== without && query.get(key);
    const tests = [];
    if (has("dead") === "1") tests.push((i) => !this.live(i));
    if (has("q")) {
      const parts = query.get("q").toLowerCase().split(/\s+/).filter(Boolean);
      tests.push((i) => parts.every((part) => this.text(i).includes(part)));
    }
    for (const [key, column] of [
      ["group", (i) => this.groupOf(i) ?? "no name"],
      ["needs", (i) => this.needs[i]],
    ]) {
      if (!has(key)) continue;
      const wanted = new Set(query.get(key).split(","));
      tests.push((i) => wanted.has(column(i)));
    }
    if (has("concept")) tests.push((i) => this.concept[i] === query.get("concept"));
    if (has("named")) tests.push((i) => (this.name[i] !== null) === (query.get("named") === "1"));
    if (has("star")) tests.push((i) => this.star[i]);
    if (has("own")) tests.push((i) => Boolean(this.label[i]));
    for (const name of RANGES) {
      if (!has(name)) continue;
      const [low, high] = range(query.get(name));
      tests.push((i) => this[name][i] >= low && this[name][i] <= high);
    }
    if (has("box")) {
      const [x0, x1, y0, y1] = query.get("box").split(",").map(Number);
      tests.push((i) => this.x[i] >= x0 && this.x[i] <= x1 && this.y[i] >= y0 && this.y[i] <= y1);
    }
    return tests;
  }

  sorted(found, sort) {
    const down = sort?.startsWith("-") ? -1 : 1;
    const key = sort?.replace(/^-/, "");
    if (!key) return found.sort((a, b) => this.standing[a] - this.standing[b]);
    if (key === "latent") return down > 0 ? found : found.reverse();
    if (key === "name") {
      const named = (i) => this.label[i] ?? this.name[i] ?? (this.rule[i] ? `~ ${this.rule[i]}` : "~~");
      return found.sort((a, b) => down * named(a).localeCompare(named(b)) || a - b);
    }
    const column = this[key];
    if (!column) return found;
    if (column instanceof Float64Array) return found.sort((a, b) => compare(column[a], column[b], down) || a - b);
    return found.sort((a, b) => down * String(column[a] ?? "~").localeCompare(String(column[b] ?? "~")) || a - b);
  }

  /** How many latents have each value of a column. */
  count(value, places) {
    const counts = new Map();
    for (const i of places) counts.set(value(i), (counts.get(value(i)) ?? 0) + 1);
    return counts;
  }
}

/** Numbers before what is NaN, whichever way the order goes. */
function compare(a, b, down) {
  const [noA, noB] = [Number.isNaN(a), Number.isNaN(b)];
  if (noA || noB) return noA - noB;
  return down * (a - b);
}

/** "0.2,0.8", "0.2," or ",0.8" as two ends. */
export function range(text) {
  const [low, high] = (text ?? "").split(",");
  return [low ? Number(low) : -Infinity, high ? Number(high) : Infinity];
}

/** The part of a query that says which latents are listed. */
export function listQuery(query, { page = true } = {}) {
  const kept = new URLSearchParams();
  for (const key of LIST_KEYS) if (query.get(key) && (page || key !== "page")) kept.set(key, query.get(key));
  return kept;
}

/** A latent's page leads on with the list it was found in, so that "next" means next in the list. */
export const featureLink = (latent, query = params()) =>
  `/feature/${latent}${queryOf(listQuery(query, { page: false }))}`;
