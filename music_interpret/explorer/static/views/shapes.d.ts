// The JSON that is drawn, as types: explorer/shapes.py says what each field means, and a test holds the two together.

export interface Notes {
  onset: number[];
  duration: number[];
  pitch: number[];
  lane: number[];
  voice: number[];
  spelling: number[];
  token: number[];
}

export interface Lane {
  program: number;
  name: string;
}

export interface Roll {
  song: string;
  name: string;
  split: string;
  start: number;
  end: number;
  resolution: number;
  seconds_per_step: number;
  notes: Notes;
  lanes: Lane[];
  bars: number[];
  bar_numbers: number[];
  bars_estimated: boolean;
  tokens: number;
}

export interface Other {
  token: number;
  text: string;
  value: number;
}

export interface Excerpt {
  roll: Roll;
  values: number[];
  token: number;
  text: string;
  value: number;
  note: number | null;
  others: Other[];
  sound: string;
  sound_without: string | null;
  quantile?: number;
}

export interface Examples {
  kind: string;
  title: string;
  help: string;
  excerpts: Excerpt[];
}

export interface Effect {
  field: string;
  promotes: [string, number][];
  suppresses: [string, number][];
}

export interface ValueCount {
  word: string;
  share: number;
  base_rate: number;
  rate: number;
}

export interface FiresWhen {
  what: string;
  help: string;
  values: ValueCount[];
}

export interface Neighbour {
  latent: number;
  score: number;
  name: string | null;
}

export interface Statistics {
  density: number;
  max: number;
  mean: number;
  n_firings: number;
  n_tokens: number;
  n_songs: number;
  quantiles: [number, number][];
  histogram: { edges: number[]; counts: number[] };
}

export interface CorpusAgreement {
  corpus: string;
  notes: number;
  value: number;
  interval: [number, number];
}

export interface Reliability {
  concept: string;
  measured: string;
  measure: string;
  short: string;
  words: string;
  corpora: CorpusAgreement[];
}

export interface Feature {
  latent: number;
  d_sae: number;
  live: boolean;
  name: Name | null;
  described: string;
  statistics: Statistics;
  reliability: Reliability[];
  labels: LabelRow[];
  examples: Examples[];
  effects: Effect[];
  fires_when: FiresWhen[];
  nearest: { decoder: Neighbour[]; coactivation: Neighbour[] };
}

/** An entry of names.json (`features.labelling.Name`); without a rule its scores are null. */
export interface Name {
  latent: number;
  name: string | null;
  why: string;
  rule: string;
  columns: string[];
  operators: string[];
  groups: string[];
  needs: string;
  threshold: Score;
  precision: Score;
  recall: Score;
  f1: Score;
  f1_interval: [Score, Score];
  mcc: Score;
  mcc_interval: [Score, Score];
  base_rate: Score;
  always_on_f1: Score;
  q: Score;
  identity: string;
  identity_f1: Score;
  gain: Score;
}

/** Those fields of a row of labels.parquet that are shown. */
export interface LabelRow {
  name: string;
  concept: string;
  lag: number;
  leakage: string;
  significant: boolean;
  mcc: Score;
  mcc_low: Score;
  mcc_high: Score;
  f1: Score;
  precision: Score;
  recall: Score;
  base_rate: Score;
  gain: Score;
}

/** The run in numbers (`explorer.overview.overview`). */
export interface Run {
  run: string;
  dataset: string;
  representation: string;
  /** Where in the model, in words: "layer 5", "site mlp_out.2". */
  site: string;
  architecture: string;
  token_baseline: string | null;
  d_sae: number;
  n_live: number;
  n_tokens: number;
  n_songs: number;
  splits: Record<string, number>;
  held_out: { test?: HeldOut; valid?: HeldOut } | null;
  losses: { split: string; over_clean: number; recovered_mean: number; recovered_zero: number; kl: number } | null;
  set_level: SetLevel[] | null;
  labelled: boolean;
  n_named: number;
  groups: string[];
  notices: string[];
  help: Record<string, string>;
}

export interface HeldOut {
  l0: number;
  fvu: number;
}

/** What the latents of the autoencoder, or of a control, are worth. */
export interface SetLevel {
  what: string;
  n_live: number;
  named: Score;
  named_context: Score;
  coverage: Score;
  coverage_context: Score;
  beyond_identity: Score;
  monosemanticity: Score;
}

/** A number, or null where there is none. */
export type Score = number | null;
