// What the server answers to the page beyond views/shapes.d.ts, and what the page's parts give each other.

import type { Feature, Roll, Run, Score } from "./views/shapes";

/** A column of /api/latents has a value per latent. */
export interface LatentColumns {
  latent: number[];
  density: number[];
  max: number[];
  mean: number[];
  x: number[];
  y: number[];
  name: (string | null)[];
  rule: (string | null)[];
  group: (string | null)[];
  concept: (string | null)[];
  needs: (string | null)[];
  mcc: Score[];
  f1: Score[];
  gain: Score[];
  label: (string | null)[];
  star: boolean[];
}

/** A person's own label, note and star of a latent. */
export interface Own {
  label: string;
  note: string;
  star: boolean;
}

export type OwnedFeature = Feature & { own: Own };

/** A column has a value per song. */
export interface Songs {
  song: string[];
  name: string[];
  split: string[];
  tokens: number[];
  notes: number[];
}

export interface Song {
  roll: Roll;
  /** The tokens as text. */
  tokens: string[];
  /** Per token the latents that fire most, the strongest first. */
  strongest: { latents: number[][]; values: number[][] };
  sound: string;
}

export interface Track {
  latent: number;
  name: string | null;
  max: number;
  /** Per token. */
  values: number[];
}

export interface Strip {
  name: string;
  words: string[];
  /** Per token, indices into `words`; 0 for none. */
  codes: number[];
}

export interface Concept {
  name: string;
  group: string;
  leakage: string;
  definition: string;
  reference: string;
}

export interface OtherRun {
  id: string;
  run: string;
  site: string;
  architecture: string;
  token_baseline: string | null;
  labelled: boolean;
}

export interface Compared {
  mean: number;
  help: string;
  /** A column has a value per pair. */
  pairs: {
    latent: number[];
    other: number[];
    score: number[];
    name: (string | null)[];
    other_name: (string | null)[];
    density: number[];
    other_density: number[];
  };
  run: OtherRun;
}

/** Answers that hold for the whole visit. */
export interface Kept {
  "/api/run": Run;
  "/api/latents": LatentColumns;
  "/api/concepts": Concept[];
  "/api/runs": OtherRun[];
  "/api/songs": Songs;
}

/** The answer of an address. */
export type Answer<Path> = Path extends keyof Kept
  ? Kept[Path]
  : Path extends `/api/feature/${string}` | `/api/compare/${string}/feature/${string}`
    ? OwnedFeature
    : Path extends `/api/compare/${string}`
      ? Compared
      : Path extends `/api/song/${string}/tracks?${string}`
        ? { tracks: Track[] }
        : Path extends `/api/song/${string}/concepts?${string}`
          ? { strips: Strip[] }
          : Path extends `/api/song/${string}`
            ? Song
            : never;

/** What a page is shown for. */
export interface Visit {
  run: Run;
  /** What the address names, such as a latent's number. */
  given?: string;
  query: URLSearchParams;
  signal: AbortSignal;
}

export type Keys = Record<string, () => void>;

/** Keys, and what they do: `["j / k", "next, previous"]`. */
export type KeyWords = [string, string][];

/** A page that is shown. */
export interface Shown {
  title: string;
  /** Follows a change of the query. */
  update?: (query: URLSearchParams) => void;
  destroy?: () => void;
  keys?: Keys;
  told?: KeyWords;
}

/** Changes of the query; null and "" take a key out. */
export type Changes = Record<string, string | number | null>;

/** Whether a change of the query replaces the step of the history. */
export interface Step {
  replace?: boolean;
}
