"""Notes of one or many songs laid end to end, so that what is computed of them is computed of all at once.

Times are whole steps (`resolution` steps per beat, a beat being a quarter note). `onset` and `end` count from each
song's first beat; `time` is the same on one line on which songs are far apart, so that no window, lookup or sort by
time reaches into another song.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from music_interpret.music.metres import Metres
from music_interpret.music.notes import BEAT, DURATION, PITCH, POSITION, PROGRAM

T = TypeVar("T")
APART_BEATS = 4096
"""Beats of silence between two songs on the common time line, more than any window looks around."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Songs:
    """Songs' notes, each song's sorted as `notes.py` says: by onset, and from low to high within an onset."""

    notes: np.ndarray
    """Rows (beat, position, pitch, duration, program), int64 (n_notes, 5), song after song."""
    first_note: np.ndarray
    """Row of each song's first note, and the number of rows at the end, int64 (n_songs + 1,); a song may have none."""
    resolution: int
    """Steps per beat."""
    metres: Metres
    """Where bars begin and how long they are; of songs without a known metre, estimated."""
    names: tuple[str, ...]
    """Name of each song."""
    complete: np.ndarray
    """Whether the notes reach the song's end, or were cut where the model stops reading, bool (n_songs,)."""
    _kept: dict[Callable[..., Any], Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        notes: Sequence[np.ndarray],
        resolution: int,
        *,
        names: Sequence[str] | None = None,
        metres: Mapping[str, Sequence[Sequence[int]]] | None = None,
        complete: np.ndarray | None = None,
    ) -> "Songs":
        """Lay note arrays (n_notes, 5) end to end.

        Args:
            notes: one array for each song.
            resolution: steps per beat.
            names: their names; numbers if none are given.
            metres: (first step, numerator, denominator) of each stretch of one metre by song name, see `metres.py`.
            complete: which songs are whole, bool (n_songs,); all, if not given.
        """
        names = tuple(names) if names is not None else tuple(str(i) for i in range(len(notes)))
        first_note = np.cumsum([0, *map(len, notes)])
        rows = np.concatenate([np.zeros((0, 5), np.int64), *notes]).astype(np.int64)
        return cls(
            notes=rows,
            first_note=first_note,
            resolution=resolution,
            metres=Metres.of(names, metres or {}, rows, first_note, resolution),
            names=names,
            complete=np.ones(len(names), bool) if complete is None else complete,
        )

    @property
    def n_songs(self) -> int:
        return len(self.names)

    def __len__(self) -> int:
        """Number of notes."""
        return len(self.notes)

    @property
    def beat(self) -> np.ndarray:
        return self.notes[:, BEAT]

    @property
    def position(self) -> np.ndarray:
        """Steps within the beat."""
        return self.notes[:, POSITION]

    @property
    def pitch(self) -> np.ndarray:
        """MIDI note numbers."""
        return self.notes[:, PITCH]

    @property
    def duration(self) -> np.ndarray:
        """In steps."""
        return self.notes[:, DURATION]

    @property
    def program(self) -> np.ndarray:
        """General MIDI programs."""
        return self.notes[:, PROGRAM]

    @functools.cached_property
    def song(self) -> np.ndarray:
        """Number of each note's song."""
        return np.repeat(np.arange(self.n_songs), np.diff(self.first_note))

    @functools.cached_property
    def onset(self) -> np.ndarray:
        """Steps from the song's first beat to each note's onset."""
        return self.beat * self.resolution + self.position

    @functools.cached_property
    def end(self) -> np.ndarray:
        """Steps from the song's first beat to each note's end."""
        return self.onset + self.duration

    @functools.cached_property
    def length(self) -> np.ndarray:
        """Steps from each song's first beat to the end of its last sounding note, 0 without notes, (n_songs,)."""
        lengths = np.zeros(self.n_songs, np.int64)
        np.maximum.at(lengths, self.song, self.end)
        return lengths

    @functools.cached_property
    def song_time(self) -> np.ndarray:
        """Where each song's first beat is on the common time line, (n_songs,)."""
        return np.concatenate([[0], np.cumsum(self.length + APART_BEATS * self.resolution)[:-1]]).astype(np.int64)

    @functools.cached_property
    def time(self) -> np.ndarray:
        """Onsets on the common time line; ascending over all notes."""
        return self.onset + self.song_time[self.song]

    @functools.cached_property
    def end_time(self) -> np.ndarray:
        """Ends on the common time line; a note sounds for one step at least."""
        return self.time + np.maximum(self.duration, 1)

    @functools.cached_property
    def group(self) -> np.ndarray:
        """Number of each note's onset group: the notes of a song that start together are one group."""
        new = np.ones(len(self), np.int64)
        new[1:] = self.time[1:] != self.time[:-1]
        return np.cumsum(new) - 1

    @functools.cached_property
    def group_first(self) -> np.ndarray:
        """First (lowest) note of each onset group, and the number of notes at the end, (n_groups + 1,)."""
        return np.searchsorted(self.group, np.arange((self.group[-1] + 1 if len(self) else 0) + 1))

    @functools.cached_property
    def first_group(self) -> np.ndarray:
        """First onset group of each song, and the number of groups at the end, (n_songs + 1,)."""
        return np.append(self.group, len(self.group_first) - 1)[self.first_note]

    def one(self, song: int) -> "Songs":
        """One song by its number, with the metres that it has here: estimates are kept, not made again."""
        first, last = self.first_note[song], self.first_note[song + 1]
        stretches = slice(self.metres.first[song], self.metres.first[song + 1])
        metres = Metres(
            first=self.metres.first[song : song + 2] - self.metres.first[song],
            start=self.metres.start[stretches],
            bar_steps=self.metres.bar_steps[stretches],
            numerator=self.metres.numerator[stretches],
            denominator=self.metres.denominator[stretches],
            estimated=self.metres.estimated[song : song + 1],
        )
        return Songs(
            notes=self.notes[first:last],
            first_note=np.array([0, last - first]),
            resolution=self.resolution,
            metres=metres,
            names=self.names[song : song + 1],
            complete=self.complete[song : song + 1],
        )

    def once(self, analysis: "Callable[[Songs], T]") -> T:
        """What `analysis(self)` gives, computed at the first call and kept, for concepts that share it."""
        if analysis not in self._kept:
            self._kept[analysis] = analysis(self)
        return self._kept[analysis]
