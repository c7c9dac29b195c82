"""What the server answers, without the server: one method for each address, from plain values to JSON.

Everything is read from the run's folder, which the pages never change, but for the own labels and the uploaded pieces.
Bad requests are `InputError`s with a sentence for people; what is not there is a `NotFound`.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from music_interpret.errors import InputError
from music_interpret.explorer import comparison, overview, song
from music_interpret.explorer.audio import sound_of
from music_interpret.explorer.cache import ByteCache
from music_interpret.explorer.feature import feature
from music_interpret.explorer.opened import Explored
from music_interpret.explorer.own_labels import OwnLabels
from music_interpret.explorer.rolls import seconds_per_step
from music_interpret.explorer.song import Playable
from music_interpret.explorer.uploads import LIMITS, Uploaded, Uploads
from music_interpret.memory import return_free_memory
from music_interpret.music import sound
from music_interpret.music.score_readers import ScoreReader

JSON_BYTES, SOUND_BYTES = 8 * 2**20, 8 * 2**20
"""Answers that are kept."""
MOST_EXAMPLES = 50
LONGEST_WAV_SECONDS = 30
"""Longer sounds are sent as Ogg, which is an eighth of the size."""
OPENED_RUNS = 2
"""Other runs that are kept open."""


class NotFound(InputError):
    """There is nothing at this address."""


def to_json(value: Any) -> bytes:
    """JSON of what the pages' functions give; NumPy arrays are lists, NaN is null."""
    return orjson.dumps(value, default=_listed, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def _listed(value: Any) -> Any:
    """What orjson does not take by itself: arrays that are not contiguous in memory, or are of strings."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON")


class Explorer:
    """All that one server knows."""

    def __init__(self, explored: Explored) -> None:
        self.explored = explored
        self.own = OwnLabels(explored.run.folder, explored.index.d_sae)
        self.reader = ScoreReader(LIMITS)
        self.uploads = Uploads(explored, self.reader)
        self._json, self._sounds = ByteCache(JSON_BYTES), ByteCache(SOUND_BYTES)
        self._others: dict[Path, Explored] = {}
        self._comparing = threading.Lock()

    def warm(self) -> None:
        """Load what people would have to wait for."""
        sound.warm()
        self.uploads.warm()
        return_free_memory()

    def close(self) -> None:
        """End what runs in the background."""
        self.reader.close()

    def run(self) -> bytes:
        """The run in numbers."""
        problem = sound.font_problem()
        return to_json(overview.overview(self.explored, [problem] if problem else []))

    def latents(self) -> bytes:
        """A row for every latent, with its own label."""
        known = self._json.get("latents", lambda: to_json(overview.latents(self.explored)))
        labels: list[str | None] = [None] * self.explored.index.d_sae
        stars = [False] * self.explored.index.d_sae
        for own in self.own.all():
            labels[own.latent], stars[own.latent] = own.label or None, own.star
        return _with(known, {"label": labels, "star": stars})

    def feature(self, latent: int, examples: int = 8) -> bytes:
        """One latent."""
        if not 0 <= latent < self.explored.index.d_sae:
            raise NotFound(f"there is no latent {latent}; expected 0 to {self.explored.index.d_sae - 1}")
        return _with(self._feature(self.explored, latent, examples), {"own": self._own_of(latent)})

    def _feature(self, explored: Explored, latent: int, examples: int) -> bytes:
        if not 1 <= examples <= MOST_EXAMPLES:
            raise InputError(f"examples is {examples}; expected 1 to {MOST_EXAMPLES}")
        key = ("feature", explored.run.folder, latent, examples)
        return self._json.get(key, lambda: to_json(feature(explored, latent, examples)))

    def songs(self) -> bytes:
        """Uploaded pieces and the songs of the set."""
        found = overview.songs(self.explored)
        uploads = self.uploads.all()
        first: dict[str, list[Any]] = {
            "song": [u.played.piece.key for u in uploads],
            "name": [u.played.piece.name for u in uploads],
            "split": [u.played.piece.split for u in uploads],
            "tokens": [len(u.played.piece.tokens) for u in uploads],
            "notes": [len(u.played.piece.notes.onset) for u in uploads],
        }
        return to_json({column: first[column] + list(values) for column, values in found.items()})

    def song_page(self, key: str) -> bytes:
        """One piece."""
        return to_json(song.song(self.explored, self._played(key)))

    def tracks(self, key: str, latents: str) -> bytes:
        """Latents along a piece."""
        return to_json(song.tracks(self.explored, self._played(key), _numbers(latents)))

    def strips(self, key: str, names: str) -> bytes:
        """Concepts along a piece."""
        return to_json(song.strips(self._played(key), [name for name in names.split(",") if name]))

    def concepts(self) -> bytes:
        """The concepts that can be shown."""
        return to_json(song.concepts(self.explored.scheme))

    def sound(self, key: str, start: int, end: int, without: int | None) -> tuple[bytes, str]:
        """Part of a piece as sound: its bytes and their media type."""
        piece = self.uploads.get(key).played.piece if key.startswith("u") else self._song(key).piece
        resolution = self.explored.scheme.resolution
        end = min(end, max(piece.end, 1))
        seconds = (end - start) * seconds_per_step(resolution)
        kind = "audio/wav" if seconds <= LONGEST_WAV_SECONDS else "audio/ogg"
        write = sound.wav_bytes if kind == "audio/wav" else sound.ogg_bytes
        made = self._sounds.get(
            (key, start, end, without), lambda: write(sound_of(piece, resolution, start, end, without))
        )
        return made, kind

    def own_labels(self) -> bytes:
        """All own labels."""
        return to_json([own._asdict() for own in self.own.all()])

    def put_own_label(self, latent: int, content: bytes) -> bytes:
        """Keep a label, note and star."""
        said = _read_json(content)
        if isinstance(said, dict):
            said = {"latent": latent} | said
        label = self.own.checked(said, "the request")
        if label.latent != latent:
            raise InputError(f"the request names latent {label.latent} at the address of latent {latent}")
        self.own.put([label])
        return to_json(self._own_of(latent))

    def import_own_labels(self, content: bytes) -> bytes:
        """Take labels as JSON lines."""
        try:
            text = content.decode()
        except UnicodeDecodeError:
            raise InputError("the file is not UTF-8 text; expected JSON lines, as the export writes them") from None
        return to_json({"imported": self.own.from_jsonl(text)})

    def _own_of(self, latent: int) -> dict[str, Any]:
        own = self.own.get(latent)._asdict()
        return {name: own[name] for name in ("label", "note", "star")}

    def upload(self, name: str, content: bytes) -> bytes:
        """Run a file through the model."""
        uploaded: Uploaded = self.uploads.add(name, content)
        piece = uploaded.played.piece
        return to_json({"song": piece.key, "name": piece.name, "notes": len(piece.notes.onset), "cut": uploaded.notice})

    def runs(self) -> bytes:
        """The runs that this one can be compared with."""
        found = comparison.comparable_runs(self.explored)
        return to_json([comparison.described(run) for run in found])

    def compare(self, run_id: str) -> bytes:
        """This run's latents with their partners in another."""
        run = self._run(run_id)

        def make() -> bytes:
            return to_json(comparison.compared(self.explored, self._opened(run)))

        with self._comparing:  # it takes seconds and memory, so one at a time
            pairs = self._json.get(("compare", run), make)
        return _with(pairs, {"run": comparison.described(run)})

    def compared_feature(self, run_id: str, latent: int, examples: int = 8) -> bytes:
        """One latent of another run."""
        with self._comparing:
            other = self._opened(self._run(run_id))
        if not 0 <= latent < other.index.d_sae:
            raise NotFound(f"there is no latent {latent}; expected 0 to {other.index.d_sae - 1}")
        own = {"own": {"label": "", "note": "", "star": False}}
        return _with(self._feature(other, latent, examples), own)

    def _run(self, run_id: str) -> Path:
        try:
            return comparison.comparable_run(self.explored, run_id)
        except InputError as error:
            raise NotFound(str(error)) from None

    def _opened(self, run: Path) -> Explored:
        if run not in self._others:
            while len(self._others) >= OPENED_RUNS:
                self._others.pop(next(iter(self._others)))
            self._others[run] = Explored.open(run)
        return self._others[run]

    def _played(self, key: str) -> Playable:
        return self.uploads.get(key).played if key.startswith("u") else self._song(key)

    def _song(self, key: str) -> Playable:
        try:
            return song.of_set(self.explored, key)
        except InputError as error:
            raise NotFound(str(error)) from None


def _with(known: bytes, more: dict[str, Any]) -> bytes:
    """A JSON object with more fields, without reading it again."""
    return known[:-1] + b"," + to_json(more)[1:]


def _numbers(text: str) -> Sequence[int]:
    try:
        return [int(word) for word in text.split(",") if word]
    except ValueError:
        raise InputError(f"latents are {text[:80]!r}; expected numbers with commas between them") from None


def _read_json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        raise InputError("the request is not JSON") from None
