// All latents of the run as columns, and which of them, in which order, an address asks for.

import { params, queryOf } from "./address.js";
import { NO_NAME } from "./views/groups.js";
import { searched } from "./views/words.js";

/** @import { LatentColumns } from "./types" */
/** @import { Excerpt, Score } from "./views/shapes" */

/** @type {("mcc" | "density" | "max")[]} */
const RANGES = ["mcc", "density", "max"];
const CLEAR_GAIN = 0.1; // as in the features command

/** The parts of the query that say which latents are listed; they travel along to the latents' own pages. */
const LIST_KEYS = [
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
  /** @param {LatentColumns} columns null for what a latent has not. */
  constructor(columns) {
    this.length = columns.latent.length;
    this.latent = columns.latent;
    this.name = columns.name;
    this.rule = columns.rule;
    this.group = columns.group;
    this.concept = columns.concept;
    this.needs = columns.needs;
    this.label = columns.label;
    this.star = columns.star;
    this.density = numbers(columns.density);
    this.max = numbers(columns.max);
    this.mcc = numbers(columns.mcc);
    this.f1 = numbers(columns.f1);
    this.gain = numbers(columns.gain);
    this.x = numbers(columns.x);
    this.y = numbers(columns.y);
    this.place = new Map(columns.latent.map((latent, i) => [latent, i]));
    this.standing = this.standings();
  }

  /**
   * Each latent's rank in the order that a list begins with: first names that say clearly more than their token does,
   * then other names, then none; among equals by MCC, but each concept's best before any concept's second.
   */
  standings() {
    /** @param {number} i */
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

  /** The group whose colour it has: that of its name, null for a latent without one. @param {number} i */
  groupOf(i) {
    return this.name[i] === null ? null : this.group[i];
  }

  /** @param {number} i */
  live(i) {
    return this.density[i] > 0;
  }

  /** What a search looks in. @param {number} i */
  text(i) {
    return `${this.latent[i]} ${this.label[i] ?? ""} ${this.name[i] ?? ""} ${this.rule[i] ?? ""}`;
  }

  /**
   * Indices of the latents that an address's query asks for, in its order.
   * @param {URLSearchParams} query
   * @param {string | null} without a filter that is left out.
   */
  chosen(query, without = null) {
    const test = this.tests(query, without);
    const found = [];
    for (let i = 0; i < this.length; i++) if (test.every((passes) => passes(i))) found.push(i);
    return this.sorted(found, query.get("sort"));
  }

  /** @param {URLSearchParams} query @param {string | null} without */
  tests(query, without) {
    /** @param {string} key */
    const has = (key) => (key === without ? "" : (query.get(key) ?? ""));
    /** @type {((i: number) => boolean)[]} */
    const tests = [];
    if (has("dead") === "1") tests.push((i) => !this.live(i));
    if (has("q")) {
      const fits = searched(has("q"));
      tests.push((i) => fits(this.text(i)));
    }
    if (has("group")) {
      const groups = has("group").split(",");
      tests.push((i) => groups.includes(this.groupOf(i) ?? NO_NAME));
    }
    if (has("needs")) {
      const needs = has("needs").split(",");
      tests.push((i) => needs.includes(this.needs[i] ?? ""));
    }
    if (has("concept")) tests.push((i) => this.concept[i] === has("concept"));
    if (has("named")) tests.push((i) => (this.name[i] !== null) === (has("named") === "1"));
    if (has("star")) tests.push((i) => this.star[i]);
    if (has("own")) tests.push((i) => Boolean(this.label[i]));
    for (const name of RANGES) {
      if (!has(name)) continue;
      const [low, high] = range(has(name));
      tests.push((i) => this[name][i] >= low && this[name][i] <= high);
    }
    if (has("box")) {
      const [x0, x1, y0, y1] = has("box").split(",").map(Number);
      tests.push((i) => this.x[i] >= x0 && this.x[i] <= x1 && this.y[i] >= y0 && this.y[i] <= y1);
    }
    return tests;
  }

  /** @param {number[]} found @param {string | null} sort */
  sorted(found, sort) {
    const down = sort?.startsWith("-") ? -1 : 1;
    const key = sort?.replace(/^-/, "");
    if (!key) return found.sort((a, b) => this.standing[a] - this.standing[b]);
    if (key === "latent") return down > 0 ? found : found.reverse();
    if (key === "name") {
      /** @param {number} i */
      const named = (i) => this.label[i] ?? this.name[i] ?? (this.rule[i] ? `~ ${this.rule[i]}` : "~~");
      return found.sort((a, b) => down * named(a).localeCompare(named(b)) || a - b);
    }
    const column = this.column(key);
    if (!column) return found;
    if (column instanceof Float64Array) return found.sort((a, b) => compare(column[a], column[b], down) || a - b);
    return found.sort((a, b) => down * String(column[a] ?? "~").localeCompare(String(column[b] ?? "~")) || a - b);
  }

  /** A column that a list can be sorted by. @param {string} key */
  column(key) {
    const { group, needs, star, density, max, mcc, f1, gain } = this;
    /** @type {Record<string, Float64Array | (string | boolean | null)[]>} */
    const columns = { group, needs, star, density, max, mcc, f1, gain };
    return Object.hasOwn(columns, key) ? columns[key] : null;
  }

  /**
   * How many latents have each value.
   * @template T
   * @param {(i: number) => T} value
   * @param {Iterable<number>} places
   * @returns {Map<T, number>}
   */
  count(value, places) {
    const counts = new Map();
    for (const i of places) counts.set(value(i), (counts.get(value(i)) ?? 0) + 1);
    return counts;
  }
}

/** Null as NaN. @param {Score[]} column */
const numbers = (column) => Float64Array.from(column, (value) => value ?? NaN);

/** Numbers before what is NaN, whichever way the order goes. @param {number} a @param {number} b @param {number} down */
function compare(a, b, down) {
  const [noA, noB] = [Number.isNaN(a), Number.isNaN(b)];
  if (noA || noB) return Number(noA) - Number(noB);
  return down * (a - b);
}

/** "0.2,0.8", "0.2," or ",0.8" as two ends. @param {string | null} text */
export function range(text) {
  const [low, high] = (text ?? "").split(",");
  return [low ? Number(low) : -Infinity, high ? Number(high) : Infinity];
}

/** The part of a query that says which latents are listed. @param {URLSearchParams} query */
export function listQuery(query, { page = true } = {}) {
  const kept = new URLSearchParams();
  for (const key of LIST_KEYS) {
    const value = query.get(key);
    if (value && (page || key !== "page")) kept.set(key, value);
  }
  return kept;
}

/** A latent's page leads on with the list it was found in, so that "next" means next in the list. @param {number} latent */
export const featureLink = (latent, query = params()) =>
  `/feature/${latent}${queryOf(listQuery(query, { page: false }))}`;

/**
 * The song of an excerpt of a latent at a token, with the latent's track.
 * @param {number} latent
 * @param {Excerpt} excerpt
 * @param {number} token
 */
export const songLink = (latent, { roll }, token) =>
  `/song/${roll.song}?tracks=${latent}&latent=${latent}&token=${token}`;
