"""The JSON that the server gives and the page, the report and the notebook draw, as types.

Columns named "per note" or "per token" have a value for each; times are whole steps from the song's first beat.
"""

from typing import Any, NotRequired, TypedDict

import numpy as np


class Notes(TypedDict):
    """Notes of a roll, in the order of their tokens."""

    onset: np.ndarray
    duration: np.ndarray
    pitch: np.ndarray
    """MIDI note numbers."""
    lane: np.ndarray
    """Indices into the roll's `lanes`."""
    voice: np.ndarray
    """Numbers of melodic lines in the song."""
    spelling: np.ndarray
    """Numbers on the line of fifths, C being 0; see `music/spelling.py`."""
    token: np.ndarray
    """Indices of the notes' tokens in the song."""


class Lane(TypedDict):
    """An instrument."""

    program: int
    name: str


class Roll(TypedDict):
    """Part of a song, or the whole: what a piano roll is drawn of."""

    song: str
    """Number of the song, or u1, u2, … for an uploaded one."""
    name: str
    split: str
    start: int
    """First step shown."""
    end: int
    """Step after the last one shown."""
    resolution: int
    """Steps per beat (a quarter note)."""
    seconds_per_step: float
    notes: Notes
    """Those that sound within start … end; they may begin before and end after."""
    lanes: list[Lane]
    bars: np.ndarray
    """Bar lines within start … end."""
    bar_numbers: np.ndarray
    """Numbers of the bars that they open, as the edition has them or counted."""
    bars_estimated: bool
    tokens: int
    """Length of the song in tokens."""


class Other(TypedDict):
    """A firing token that is no note."""

    token: int
    text: str
    value: float


class Excerpt(TypedDict):
    """A firing of a latent, with the music around it."""

    roll: Roll
    values: np.ndarray
    """The latent's activation, per note of the roll."""
    token: int
    """Index of the firing token in the song."""
    text: str
    """The token in words."""
    value: float
    """Its activation."""
    note: int | None
    """Its index among the roll's notes; None for a token that is no note."""
    others: list[Other]
    sound: str
    """Address of the sound, which begins at the roll's start."""
    sound_without: str | None
    """The same without the melodic line of the firing note."""
    quantile: NotRequired[float]
    """Fraction of the latent's firings that are weaker."""


class Examples(TypedDict):
    """Firings that were chosen in one way."""

    kind: str
    title: str
    help: str
    excerpts: list[Excerpt]


class Effect(TypedDict):
    """What a latent adds to the logits of one output field, (word, logits) pairs, strongest first."""

    field: str
    promotes: list[tuple[str, float]]
    suppresses: list[tuple[str, float]]


class ValueCount(TypedDict):
    """How often a latent fires on tokens of one value."""

    word: str
    share: float
    """Of its firings that have any value, those that have this one."""
    base_rate: float
    """Of all tokens that have any value, those that have this one."""
    rate: float
    """Of the tokens of this value, those that it fires on."""


class FiresWhen(TypedDict):
    """Firings counted by the values of one concept."""

    what: str
    help: str
    values: list[ValueCount]


class Neighbour(TypedDict):
    """A latent that is near another."""

    latent: int
    score: float
    name: str | None


class Statistics(TypedDict):
    """How a latent fires over the whole set."""

    density: float
    max: float
    mean: float
    n_firings: int
    n_tokens: int
    n_songs: int
    quantiles: list[tuple[float, float]]
    histogram: dict[str, Any]
    """Edges of activation bins, and the number of firings in each."""


class CorpusAgreement(TypedDict):
    """How far a concept agrees with the experts of one corpus."""

    corpus: str
    notes: int
    """Notes that were compared."""
    value: float
    interval: tuple[float, float]
    """95 % of bootstrap samples of the pieces."""


class Reliability(TypedDict):
    """How far a concept agrees with experts, see `music/concepts/reliability.py`."""

    concept: str
    measured: str
    """What was measured: the concept, or what it rests on."""
    measure: str
    """accuracy, F1 or MCC."""
    short: str
    """The range over corpora."""
    words: str
    """The same in a sentence."""
    corpora: list[CorpusAgreement]


class Feature(TypedDict):
    """All that is known of one latent."""

    latent: int
    d_sae: int
    live: bool
    name: dict[str, Any] | None
    """Its entry in names.json."""
    described: str
    """The name and its scores in words."""
    statistics: Statistics
    reliability: list[Reliability]
    """Of the concepts of its name, then of its labels; none for a concept that was not compared with experts'."""
    labels: list[dict[str, Any]]
    """Its rows in labels.parquet."""
    examples: list[Examples]
    effects: list[Effect]
    fires_when: list[FiresWhen]
    nearest: dict[str, list[Neighbour]]
