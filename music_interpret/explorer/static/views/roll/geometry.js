// Layout of a roll, in CSS pixels. `GUTTER` is the width of the keyboard at the left, `RULER` the height of
// the bar numbers above.

/** @import { Notes, Roll } from "../shapes" */

export const GUTTER = 40;
export const RULER = 18;
const FOOT = 4;
const LEAST_ROWS = 13;
const ROW = 8;
const HEIGHTS = [132, 280];

/** The pitches shown: all that sound and a little more, an octave at least. @param {number[]} pitches */
function pitchRange(pitches) {
  if (!pitches.length) return [54, 54 + LEAST_ROWS - 1];
  let low = 127;
  let high = 0;
  for (const pitch of pitches) {
    low = Math.min(low, pitch);
    high = Math.max(high, pitch);
  }
  const more = Math.max(2, LEAST_ROWS - (high - low + 1));
  return [Math.max(low - Math.ceil(more / 2), 0), Math.min(high + Math.floor(more / 2), 127)];
}

/** A roll laid out for a width; `scroll` moves it to the left. */
export class Geometry {
  /**
   * @param {Roll} roll
   * @param {number} width
   * @param {number | undefined} height
   * @param {number | null} pixelsPerBeat null for all of it in that width.
   */
  constructor(roll, width, height, pixelsPerBeat) {
    const [low, high] = pitchRange(roll.notes.pitch);
    this.low = low;
    this.high = high;
    this.rows = this.high - this.low + 1;
    this.start = roll.start;
    this.steps = Math.max(roll.end - roll.start, 1);
    this.width = width;
    this.height = height ?? Math.min(Math.max(this.rows * ROW + RULER + FOOT, HEIGHTS[0]), HEIGHTS[1]);
    this.row = (this.height - RULER - FOOT) / this.rows;
    const room = Math.max(width - GUTTER - 8, 20);
    this.step = pixelsPerBeat ? pixelsPerBeat / roll.resolution : room / this.steps;
    this.fullWidth = Math.max(Math.ceil(GUTTER + this.steps * this.step + 8), width);
    this.scroll = 0;
  }

  /** @param {number} step */
  xOf(step) {
    return GUTTER + (step - this.start) * this.step - this.scroll;
  }

  /** @param {number} x */
  stepAt(x) {
    return this.start + (x + this.scroll - GUTTER) / this.step;
  }

  /** The upper edge of a pitch's lane. @param {number} pitch */
  yOf(pitch) {
    return RULER + (this.high - pitch) * this.row;
  }

  /** A note's box, clipped to the start and end of the roll. @param {Notes} notes @param {number} i */
  box(notes, i) {
    const from = Math.max(notes.onset[i], this.start);
    const to = Math.min(notes.onset[i] + Math.max(notes.duration[i], 1), this.start + this.steps);
    const x = this.xOf(from);
    const height = Math.max(this.row - 1, Math.min(this.row, 3));
    return {
      x,
      y: this.yOf(notes.pitch[i]) + (this.row - height) / 2,
      width: Math.max((to - from) * this.step - 1, 2),
      height,
    };
  }
}
