// How a roll is drawn: the ground (lanes, bars, keyboard), the notes, and what moves over them.

import { colourOf, laneColour } from "./colours.js";
import { GUTTER, RULER } from "./geometry.js";
import { isBlackKey, pitchName } from "./words.js";

/** @import { Drawn, Palette } from "../types" */
/** @import { Roll } from "../shapes" */
/** @import { Geometry } from "./geometry.js" */
/** @typedef {CanvasRenderingContext2D} Context */
/** @typedef {ReturnType<Geometry["box"]>} Box */

const FONT = '"Inter", system-ui, -apple-system, "Segoe UI", sans-serif';
const LEAST_BAR_LABEL = 26;

/** @param {Context} context @param {number} alpha @param {() => void} draw */
function withAlpha(context, alpha, draw) {
  const before = context.globalAlpha;
  context.globalAlpha = before * alpha;
  draw();
  context.globalAlpha = before;
}

/** @param {Context} context @param {Box} box @param {number} [grow] */
function rounded(context, { x, y, width, height }, grow = 0) {
  const radius = Math.min(3 + grow, (height + 2 * grow) / 2, (width + 2 * grow) / 2);
  context.beginPath();
  context.roundRect(x - grow, y - grow, width + 2 * grow, height + 2 * grow, Math.max(radius, 0));
}

/**
 * A line one device pixel wide or wider, on whole device pixels.
 * @param {Context} context
 * @param {number} x
 * @param {number} top
 * @param {number} bottom
 * @param {number} ratio device pixels per CSS pixel
 */
function vertical(context, x, top, bottom, ratio, width = 1) {
  context.fillRect(Math.round(x * ratio) / ratio, top, Math.max(Math.round(width * ratio), 1) / ratio, bottom - top);
}

/** @param {Context} context @param {number} y @param {number} left @param {number} right @param {number} ratio */
function horizontal(context, y, left, right, ratio) {
  context.fillRect(left, Math.round(y * ratio) / ratio, right - left, 1 / ratio);
}

/**
 * Lanes, beats and bars behind the notes.
 * @param {Context} context
 * @param {Drawn} view
 * @param {number} ratio
 */
export function drawGround(context, { roll, geometry, colours }, ratio) {
  const { width, height, low, high, row } = geometry;
  const bottom = geometry.yOf(low - 1);
  const right = Math.min(geometry.xOf(geometry.start + geometry.steps), width);
  context.fillStyle = colours.panel;
  context.fillRect(0, 0, width, height);
  context.fillStyle = colours.text;
  for (let pitch = low; pitch <= high; pitch += 1) {
    if (isBlackKey(pitch))
      withAlpha(context, 0.055, () => context.fillRect(GUTTER, geometry.yOf(pitch), right - GUTTER, row));
    if (pitch % 12 === 0)
      withAlpha(context, 0.16, () => horizontal(context, geometry.yOf(pitch - 1), GUTTER, right, ratio));
  }
  drawBeats(context, roll, geometry, bottom, ratio);
  drawBars(context, roll, geometry, colours, bottom, ratio);
}

/** @param {Context} context @param {Roll} roll @param {Geometry} geometry @param {number} bottom @param {number} ratio */
function drawBeats(context, roll, geometry, bottom, ratio) {
  const beat = roll.resolution;
  if (beat * geometry.step < 9) return;
  const lines = roll.bars.length ? roll.bars : [roll.start];
  const end = roll.start + geometry.steps;
  /** @param {number} step */
  const faint = (step) => {
    const x = geometry.xOf(step);
    if (step > roll.start && step < end && x > GUTTER && x < geometry.width) vertical(context, x, RULER, bottom, ratio);
  };
  withAlpha(context, 0.09, () => {
    for (let step = lines[0] - beat; step > roll.start; step -= beat) faint(step);
    for (let i = 0; i < lines.length; i += 1) {
      for (let step = lines[i] + beat; step < (lines[i + 1] ?? end); step += beat) faint(step);
    }
  });
}

/**
 * @param {Context} context
 * @param {Roll} roll
 * @param {Geometry} geometry
 * @param {Palette} colours
 * @param {number} bottom
 * @param {number} ratio
 */
function drawBars(context, roll, geometry, colours, bottom, ratio) {
  context.font = `600 10.5px ${FONT}`;
  context.textBaseline = "middle";
  context.textAlign = "left";
  let free = GUTTER - 2;
  roll.bars.forEach((step, i) => {
    const x = geometry.xOf(step);
    if (x < GUTTER - 1 || x > geometry.width) return;
    withAlpha(context, 0.32, () => vertical(context, x, 2, bottom, ratio));
    const ends = step >= roll.start + geometry.steps;
    const number = roll.bar_numbers[i];
    const text = `${roll.bars_estimated && i === 0 ? "≈ " : ""}${number}`;
    if (ends || x < free || number < 1) return;
    context.fillStyle = colours.muted;
    context.fillText(text, x + 4, RULER / 2);
    context.fillStyle = colours.text;
    free = x + Math.max(LEAST_BAR_LABEL, context.measureText(text).width + 10);
  });
}

/** The notes: silent ones as outlines, firing ones filled by activation, the weakest first. @param {Context} context @param {Drawn} view */
export function drawNotes(context, view) {
  const { roll, geometry, colours, values, maxValue, lanes, dimmed } = view;
  const { notes } = roll;
  context.save();
  context.beginPath();
  context.rect(GUTTER, RULER - 2, geometry.width - GUTTER, geometry.height);
  context.clip();
  for (const i of view.order) {
    const box = geometry.box(notes, i);
    if (box.x > geometry.width || box.x + box.width < GUTTER) continue;
    const value = values ? values[i] : 0;
    context.globalAlpha = dimmed?.(i) ? 0.22 : 1;
    rounded(context, box);
    if (value > 0) {
      context.fillStyle = colourOf(value / maxValue, colours.theme);
      context.fill();
    } else {
      context.fillStyle = colours.panel;
      context.fill();
      context.fillStyle = colours.muted;
      withAlpha(context, 0.13, () => context.fill());
    }
    context.strokeStyle = value > 0 ? colours.text : colours.muted;
    context.lineWidth = 1;
    rounded(context, box, -0.5);
    withAlpha(context, value > 0 ? 0.55 : 0.75, () => context.stroke());
    if (lanes && box.height >= 3) drawLane(context, box, laneColour(notes.lane[i]));
  }
  context.restore();
}

/** @param {Context} context @param {Box} box @param {string} colour */
function drawLane(context, { x, y, width, height }, colour) {
  const radius = Math.min(3, height / 2, width / 2);
  context.beginPath();
  context.roundRect(x, y, Math.min(3.5, width / 2), height, [radius, 0, 0, radius]);
  context.fillStyle = colour;
  context.fill();
}

/** The keyboard at the left with the names of its Cs. @param {Context} context @param {Drawn} view @param {number} ratio */
export function drawKeyboard(context, { geometry, colours }, ratio) {
  const { low, high, row, height } = geometry;
  context.fillStyle = colours.panel;
  context.fillRect(0, 0, GUTTER, height);
  const left = GUTTER - 13;
  context.fillStyle = colours.text;
  for (let pitch = low; pitch <= high; pitch += 1) {
    const y = geometry.yOf(pitch);
    if (isBlackKey(pitch)) withAlpha(context, 0.62, () => context.fillRect(left, y, 8, row));
    else if (pitch % 12 === 0 || pitch % 12 === 5)
      withAlpha(context, 0.28, () => horizontal(context, y + row, left, GUTTER, ratio));
  }
  withAlpha(context, 0.35, () => vertical(context, GUTTER, RULER, geometry.yOf(low - 1), ratio));
  context.fillStyle = colours.muted;
  context.font = `500 10px ${FONT}`;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (let pitch = low; pitch <= high; pitch += 1) {
    if (pitch % 12 === 0) context.fillText(pitchName(pitch), left - 5, geometry.yOf(pitch) + row / 2);
  }
}

/**
 * What changes often: the ring of the firing note, the chosen note with its melodic line, and the playhead.
 * @param {Context} context
 * @param {Drawn} view
 */
export function drawOver(context, view) {
  const { roll, geometry, colours, ringed, chosen, playhead } = view;
  context.clearRect(0, 0, geometry.width, geometry.height);
  context.save();
  context.beginPath();
  context.rect(GUTTER - 4, 0, geometry.width - GUTTER + 4, geometry.height);
  context.clip();
  if (playhead !== null) drawSounding(context, view, playhead);
  if (ringed !== null) {
    const box = geometry.box(roll.notes, ringed);
    outline(context, box, 2, colours.panel, 2);
    outline(context, box, 3.25, colours.accent, 2.25);
  }
  if (chosen !== null) {
    drawLine(context, view, chosen);
    outline(context, geometry.box(roll.notes, chosen), 1, colours.text, 2);
  }
  if (playhead !== null) drawPlayhead(context, view, playhead);
  context.restore();
}

/** @param {Context} context @param {Box} box @param {number} grow @param {string} colour @param {number} width */
function outline(context, box, grow, colour, width) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  rounded(context, box, grow);
  context.stroke();
}

/** @param {Context} context @param {Drawn} view @param {number} playhead */
function drawSounding(context, { roll, geometry, colours, dimmed }, playhead) {
  const { onset, duration } = roll.notes;
  for (let i = 0; i < onset.length; i += 1) {
    if (onset[i] > playhead || onset[i] + Math.max(duration[i], 1) <= playhead || dimmed?.(i)) continue;
    outline(context, geometry.box(roll.notes, i), 0.5, colours.text, 1.75);
  }
}

/** @param {Context} context @param {Drawn} view @param {number} chosen */
function drawLine(context, { roll, geometry, colours }, chosen) {
  const { voice, onset } = roll.notes;
  const line = [...onset.keys()].filter((i) => voice[i] === voice[chosen]).sort((a, b) => onset[a] - onset[b]);
  context.strokeStyle = colours.text;
  context.lineWidth = 1.25;
  context.beginPath();
  for (const i of line) {
    const box = geometry.box(roll.notes, i);
    context.lineTo(box.x + 1, box.y + box.height / 2);
    context.lineTo(box.x + box.width - 1, box.y + box.height / 2);
  }
  withAlpha(context, 0.45, () => context.stroke());
}

/** @param {Context} context @param {Drawn} view @param {number} playhead */
function drawPlayhead(context, { geometry, colours }, playhead) {
  const x = geometry.xOf(playhead);
  if (x < GUTTER - 1) return;
  context.fillStyle = colours.accent;
  context.fillRect(x - 0.75, RULER - 6, 1.5, geometry.yOf(geometry.low - 1) - RULER + 6);
  context.beginPath();
  context.moveTo(x - 5, RULER - 12);
  context.lineTo(x + 5, RULER - 12);
  context.lineTo(x, RULER - 4);
  context.fill();
}
