// What views are given and give back.

import type { Geometry } from "./roll/geometry.js";
import type { PianoRoll } from "./roll/roll.js";
import type { Excerpt, Roll } from "./shapes";

/** What may stand in an element: null, undefined and false for nothing. */
export type Child = Node | string | number | null | undefined | false | readonly Child[];

/** Attributes, properties and listeners of a new element. */
export interface Props {
  style?: Record<string, string>;
  onclick?: (event: MouseEvent) => void;
  onchange?: (event: Event) => void;
  onpointerdown?: (event: PointerEvent) => void;
  [attribute: string]: unknown;
}

/** Makes the "?" that explains a key of the run's `help`, or that says `words`; null where there are none. */
export type Help = (key: string, title: string, words?: string | null) => Child;

export type Theme = "light" | "dark";

/** The colours that a roll is drawn in. */
export interface Palette {
  theme: Theme;
  text: string;
  muted: string;
  panel: string;
  accent: string;
}

export interface RollOptions {
  /** An activation per note; an excerpt brings its own. */
  values?: number[] | null;
  /** The end of the colour scale; the largest value without it. */
  maxValue?: number;
  /** The note with the ring; an excerpt brings its own. */
  note?: number | null;
  height?: number;
  /** Without it, or with `fit`, the roll is as wide as its place. */
  pixelsPerBeat?: number;
  fit?: boolean;
  /** The theme, where it is not the page's. */
  colours?: Theme;
  /** false for no colours and no list of the instruments. */
  lanes?: boolean;
  audio?: HTMLAudioElement;
  onHover?: (note: number | null, event: Event | null) => void;
  onClick?: (note: number, event: Event) => void;
  onSeek?: (step: number) => void;
}

export interface CardOptions extends Pick<RollOptions, "maxValue" | "height" | "pixelsPerBeat" | "colours" | "lanes"> {
  /** The URL of a sound's address, null where there is none; the address itself without it. */
  soundUrl?: (address: string) => string | null;
  /** false for no sound. */
  play?: boolean;
  /** Where the song's name leads. */
  songUrl?: (excerpt: Excerpt) => string;
  onHover?: RollOptions["onHover"];
  onClick?: RollOptions["onClick"];
}

/** What the drawing functions read from a roll. */
export interface Drawn {
  roll: Roll;
  geometry: Geometry;
  colours: Palette;
  values: number[] | null;
  maxValue: number;
  order: number[];
  lanes: boolean;
  dimmed: ((note: number) => boolean) | null;
  ringed: number | null;
  chosen: number | null;
  playhead: number | null;
}

declare global {
  interface HTMLElement {
    pianoRoll?: PianoRoll;
  }
}
