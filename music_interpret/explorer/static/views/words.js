// Numbers and codes in words.

import { searchable } from "./notenames.js";

/** @import { Score } from "./shapes" */

const grouped = new Intl.NumberFormat("en");

/** @param {Score | undefined} value */
export const whole = (value) => (value === null || value === undefined ? "–" : grouped.format(value));

/** "1 song", "2 songs". @param {number} value @param {string} one */
export const counted = (value, one) => `${whole(value)} ${value === 1 ? one : `${one}s`}`;

/**
 * A number with so many digits after the point; a dash for none.
 * @param {Score | undefined} value
 * @param {number} [digits]
 */
export function fixed(value, digits = 2) {
  if (!isNumber(value)) return "–";
  return value
    .toFixed(digits)
    .replace(/^-(?=[0.]*$)/, "")
    .replace("-", "−");
}

/** @param {Score | undefined} value */
export const signed = (value) => (isNumber(value) && value > 0 ? "+" : "") + fixed(value);

/** @param {Score | undefined} value @returns {value is number} */
const isNumber = (value) => Number.isFinite(value);

/** An activation with three significant digits. @param {number | null} value */
export function number(value) {
  if (!value) return "0";
  const text = Math.abs(value) >= 1000 ? value.toFixed(0) : value.toPrecision(3);
  return text.includes("e") ? value.toFixed(6) : text;
}

/** A fraction as per cent with two or three significant digits. @param {Score | undefined} share */
export function percent(share) {
  if (!isNumber(share)) return "–";
  const value = 100 * share;
  const digits = value === 0 || value >= 99.95 ? 0 : value >= 1 ? 1 : value >= 0.1 ? 2 : 3;
  return `${value.toFixed(digits)} %`;
}

/** How often, in words: "1 in 120 tokens". @param {number} share */
export function oneIn(share) {
  if (!isNumber(share) || share <= 0) return "no tokens";
  if (share >= 0.5) return `${Math.round(100 * share)} of 100 tokens`;
  return `1 in ${grouped.format(share > 0.1 ? Number((1 / share).toFixed(1)) : Math.round(1 / share))} tokens`;
}

/** What a latent's name can be computed from. @type {Record<string, string>} */
export const NEEDS = {
  given: "this token",
  past: "what came before",
  future: "what comes after",
  next: "the next token",
};

/** @type {Record<string, string>} */
export const NEEDS_LONG = {
  given: "The token states this itself.",
  past: "It needs tokens before this one.",
  future: "It needs tokens after this one.",
  next: "It says what the next token will be.",
};

/** @type {Record<string, string>} */
export const SPLITS = {
  train: "training song",
  valid: "validation song",
  test: "held-out test song",
  yours: "your music",
};

/** Seconds as minutes and seconds. @param {number} seconds */
export function clock(seconds) {
  const all = Math.max(0, Math.floor(seconds));
  return `${Math.floor(all / 60)}:${String(all % 60).padStart(2, "0")}`;
}

/**
 * A test whether a text has all words of a search in it, a note by whichever of its names.
 * @param {string | null} search
 * @returns {(text: string) => boolean}
 */
export function searched(search) {
  const parts = searchable(search ?? "")
    .split(/\s+/)
    .filter(Boolean);
  return (text) => {
    const plain = searchable(text);
    return parts.every((part) => plain.includes(part));
  };
}
