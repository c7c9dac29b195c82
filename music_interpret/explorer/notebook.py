"""A run in a notebook: `open_run("demo/sae").latent(112)` shows a latent as the explorer's page does."""

import base64
from pathlib import Path
from typing import Any, NamedTuple

from music_interpret.errors import InputError, unknown
from music_interpret.explorer.audio import sound_of
from music_interpret.explorer.embedded import smaller, sounds
from music_interpret.explorer.feature import feature
from music_interpret.explorer.opened import Explored
from music_interpret.explorer.rolls import roll
from music_interpret.explorer.song import of_set
from music_interpret.explorer.widget import make_widget, widget_class
from music_interpret.features.label_words import best_names
from music_interpret.music.sound import ogg_bytes


class NotebookRun(NamedTuple):
    """An indexed run, for looking at in a notebook."""

    explored: Explored
    """All that is known of it."""

    def latent(self, latent: int, examples: int = 6, sound: bool = True) -> Any:
        """A widget with a latent's name, statistics and strongest firings, one of each song.

        Args:
            latent: its number.
            examples: how many firings.
            sound: put their sound into the notebook, about 40 KB each.

        Raises:
            InputError: no such latent, or anywidget is not installed.
        """
        widget_class()
        found: dict[str, Any] = dict(feature(self.explored, self.explored.check_latent(latent), _positive(examples)))
        found["examples"] = [group for group in found["examples"] if group["kind"] == "top"]
        excerpts = [excerpt for group in found["examples"] for excerpt in group["excerpts"]]
        kept = ("latent", "live", "name", "described", "statistics", "examples")
        heard = sounds(self.explored, excerpts, n_without=len(excerpts)) if sound else {}
        data = {"feature": {key: found[key] for key in kept}, "sounds": heard}
        return make_widget(data, found["described"] or f"latent {latent}: no name")

    def song(self, song: str | int, latent: int | None = None, sound: bool = True) -> Any:
        """A widget with a whole piece, coloured by a latent's activations.

        Args:
            song: its name or number.
            latent: whose activations; None for none.
            sound: put its sound into the notebook.

        Raises:
            InputError: no such piece or latent, or anywidget is not installed.
        """
        widget_class()
        played = of_set(self.explored, self._key(song))
        piece = played.piece
        drawn, _ = roll(piece, self.explored.encoding)
        data: dict[str, Any] = {"roll": drawn, "values": None, "max": None, "title": piece.name, "sound": None}
        if latent is not None:
            values = played.firings.of_latent(self.explored.check_latent(latent), len(piece.codes))
            data["values"] = values[drawn["notes"]["token"]]
            data["max"] = float(self.explored.index.statistics.max[latent])
            name = self.explored.name(latent)
            data["title"] += f" · latent {latent}{f': {name}' if name else ''}"
        if sound:
            made = sound_of(piece, self.explored.encoding.resolution, 0, piece.end)
            data["sound"] = base64.b64encode(ogg_bytes(smaller(made))).decode()
        return make_widget(data, data["title"])

    def best(self, count: int = 10) -> list[dict[str, Any]]:
        """The best names of a labelled run, as in its names.json; none for a run that is not labelled."""
        return best_names(list(self.explored.names.values()), _positive(count))

    def _key(self, song: str | int) -> str:
        names = self.explored.pieces.sequences.names
        if isinstance(song, str) and song in names:
            return str(names.index(song))
        if isinstance(song, int) or song.isdigit():
            return str(song)
        raise unknown("song", song, [*names[:8], "…"])


def _positive(count: int) -> int:
    if count < 1:
        raise InputError(f"{count} is too few; expected 1 or more")
    return count


def open_run(run: str | Path) -> NotebookRun:
    """Open an indexed run, given as on the command line.

    Raises:
        InputError: no such run, or it has no index.
    """
    return NotebookRun(Explored.open(run))
