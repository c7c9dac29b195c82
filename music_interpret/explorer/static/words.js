// Numbers and codes in words.

const plain = new Intl.NumberFormat("en");

export const whole = (value) => (value === null || value === undefined ? "–" : plain.format(value));

/** A number with so many digits after the point; a dash for none. */
export function fixed(value, digits = 2) {
  return Number.isFinite(value)
    ? value
        .toFixed(digits)
        .replace(/^-(?=[0.]*$)/, "")
        .replace("-", "−")
    : "–";
}

export const signed = (value, digits = 2) =>
  Number.isFinite(value) ? (value > 0 ? "+" : "") + fixed(value, digits) : "–";

/** A share as per cent with two or three significant digits. */
export function percent(share) {
  if (!Number.isFinite(share)) return "–";
  const value = 100 * share;
  const digits = value === 0 || value >= 99.95 ? 0 : value >= 10 ? 1 : value >= 1 ? 1 : value >= 0.1 ? 2 : 3;
  return `${value.toFixed(digits)} %`;
}

/** How often, in words: "1 in 120 tokens". */
export function oneIn(share, what = "tokens") {
  if (!Number.isFinite(share) || share <= 0) return `no ${what}`;
  if (share >= 0.5) return `${Math.round(100 * share)} of 100 ${what}`;
  return `1 in ${plain.format(share > 0.1 ? Number((1 / share).toFixed(1)) : Math.round(1 / share))} ${what}`;
}

const STEPS = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
export const pitchName = (pitch) => `${STEPS[pitch % 12]}${Math.floor(pitch / 12) - 1}`;

/** What a latent's name can be computed from. */
export const NEEDS = {
  given: "this token",
  past: "what came before",
  future: "what comes after",
  next: "the next token",
};
export const NEEDS_LONG = {
  given: "The token states this itself.",
  past: "It needs tokens before this one.",
  future: "It needs tokens after this one.",
  next: "It says what the next token will be.",
};

export const SPLITS = {
  train: "training song",
  valid: "validation song",
  test: "held-out test song",
  yours: "your music",
};

/** Seconds as minutes and seconds. */
export function clock(seconds) {
  const all = Math.max(0, Math.floor(seconds));
  return `${Math.floor(all / 60)}:${String(all % 60).padStart(2, "0")}`;
}

/** The last part of a song's name, for tight places. */
export const shortName = (name) => String(name).split("/").pop();
