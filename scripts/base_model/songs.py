"""What a step sees: songs drawn by length, cropped, transposed and padded, as a function of the seed and the step."""

import hashlib
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from base_model.config import BaseModelConfig
from music_interpret.activations.song_batches import plan_batches
from music_interpret.errors import InputError
from music_interpret.ingest import MIN_POLYPHONY
from music_interpret.music.dataset import Dataset, Split
from music_interpret.music.notes import BEAT, PITCH
from music_interpret.music.scores import polyphony
from music_interpret.tokens.mmt import FIELDS, MMTScheme

PITCH_SHIFTS = np.arange(-5, 7)
# Songs are drawn for this many batches at once, of which one is taken: enough of them to find songs of about a length.
BATCHES_DRAWN = 8


class Batch(NamedTuple):
    """Songs of about one length."""

    codes: Tensor
    """int64 (n_songs, length, 6), right-padded with zeros."""
    mask: Tensor
    """bool (n_songs, length), true for real tokens."""

    @classmethod
    def of(cls, songs: list[np.ndarray]) -> "Batch":
        codes = np.zeros((len(songs), max(map(len, songs)), len(FIELDS)), np.int64)
        for row, song in zip(codes, songs, strict=True):
            row[: len(song)] = song
        lengths = np.array([[len(song)] for song in songs])
        return cls(torch.from_numpy(codes), torch.from_numpy(np.arange(codes.shape[1]) < lengths))


def shifted(notes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """All pitches moved by the same number of semitones, one of those in PITCH_SHIFTS that keep them in 0 … 127."""
    lowest, highest = notes[:, PITCH].min(), notes[:, PITCH].max()
    allowed = PITCH_SHIFTS[(lowest + PITCH_SHIFTS >= 0) & (highest + PITCH_SHIFTS <= 127)]
    notes = notes.copy()
    notes[:, PITCH] += rng.choice(allowed)
    return notes


def cropped(notes: np.ndarray, max_notes: int, max_beat: int, rng: np.random.Generator) -> np.ndarray:
    """Notes from a random beat on, the first one's beat made 0.

    A song that is longer than a sequence may start anywhere that leaves a full one; at least the first half may go.
    """
    beats = notes[:, BEAT]
    latest = max(beats[max(len(notes) - max_notes, 0)], beats[-1] + 1 - max_beat, beats[-1] // 2)
    kept = notes[np.searchsorted(beats, rng.integers(latest + 1)) :].copy()
    kept[:, BEAT] -= kept[0, BEAT]
    return kept


class TrainingSongs:
    """Notes of the train songs, in memory; a step's batch is a function of the seed and the step."""

    def __init__(self, settings: BaseModelConfig, scheme: MMTScheme, songs: list[np.ndarray]) -> None:
        self.settings, self.scheme, self.songs = settings, scheme, songs
        polyphonic = np.array([polyphony(notes, scheme.resolution) >= MIN_POLYPHONY for notes in songs])
        self.weights = np.where(polyphonic, settings.polyphonic_share, 1 - settings.polyphonic_share)
        if polyphonic.any() and not polyphonic.all():
            self.weights /= np.where(polyphonic, polyphonic.sum(), (~polyphonic).sum())
        else:
            self.weights[:] = 1
        self.weights /= self.weights.sum()
        mean_length = float(np.minimum([len(notes) for notes in songs], settings.max_seq_len) @ self.weights)
        self.n_drawn = max(1, round(BATCHES_DRAWN * settings.batch_tokens / mean_length))

    def batch(self, step: int) -> Batch:
        settings, rng = self.settings, np.random.default_rng([self.settings.seed, step])
        drawn = rng.choice(len(self.songs), self.n_drawn, p=self.weights)
        songs = [self._window(self.songs[number], rng) for number in drawn]
        lengths = np.minimum([len(notes) + 4 for notes in songs], settings.max_seq_len)
        plan = plan_batches(lengths, settings.batch_tokens)
        sizes = np.array([lengths[batch.songs].sum() for batch in plan])
        chosen = plan[rng.choice(len(plan), p=sizes / sizes.sum())].songs
        return Batch.of([self.encode(shifted(songs[number], rng)) for number in chosen])

    def _window(self, notes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        settings = self.settings
        if rng.random() < settings.crop_share:
            notes = cropped(notes, settings.max_seq_len, settings.max_beat, rng)
        return notes[: np.searchsorted(notes[:, BEAT], settings.max_beat)]

    def encode(self, notes: np.ndarray) -> np.ndarray:
        return self.scheme.encode(notes, self.settings.sizes().limits)


def load_songs(dataset: Dataset, split: Split, max_beat: int) -> list[np.ndarray]:
    """Notes of every song of a split that has some before `max_beat`; InputError if there are no such songs."""
    names = [name for name, its in zip(dataset.names, dataset.splits, strict=True) if its == split]
    songs = [dataset.notes(name) for name in tqdm(names, f"read {split} songs", unit="song", leave=False)]
    songs = [notes for notes in songs if notes[0, BEAT] < max_beat]
    if not songs:
        raise InputError(f"{dataset.folder} has no {split} songs; list some in {split}-names.txt, or add songs")
    return songs


def digest(songs: list[np.ndarray]) -> str:
    """Identity of songs: SHA-256 over their notes."""
    state = hashlib.sha256()
    for notes in songs:
        state.update(notes.tobytes())
    return state.hexdigest()
