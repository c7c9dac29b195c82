"""A run in a notebook: `open_run("demo/sae").latent(112)` shows a latent as the explorer's page does."""

import base64
from typing import Any

from music_interpret.errors import InputError, unknown
from music_interpret.explorer.audio import sound_of
from music_interpret.explorer.embedded import smaller, sounds
from music_interpret.explorer.feature import feature
from music_interpret.explorer.opened import Explored
from music_interpret.explorer.rolls import roll
from music_interpret.explorer.song import of_set
from music_interpret.explorer.widget import make_widget, widget_class
from music_interpret.music.sound import ogg_bytes
from music_interpret.runs.run import Run


def explored(run: Run) -> Explored:
    """A run opened for exploring; kept with the run, so that a second card does not wait for it."""
    if "explored" not in run.views:
        run.views["explored"] = Explored(run)
    return run.views["explored"]


def latent_card(run: Run, latent: int, examples: int, sound: bool) -> Any:
    """The widget of `Run.latent`."""
    widget_class()
    if examples < 1:
        raise InputError(f"{examples} is too few; expected 1 or more")
    opened = explored(run)
    found: dict[str, Any] = dict(feature(opened, run.check_latent(latent), examples))
    found["examples"] = [group for group in found["examples"] if group["kind"] == "top"]
    excerpts = [excerpt for group in found["examples"] for excerpt in group["excerpts"]]
    kept = ("latent", "live", "name", "described", "statistics", "examples")
    heard = sounds(opened, excerpts, n_without=len(excerpts)) if sound else {}
    data = {"feature": {key: found[key] for key in kept}, "sounds": heard}
    return make_widget(data, found["described"] or f"latent {latent}: no name")


def song_card(run: Run, song: str | int, latent: int | None, sound: bool) -> Any:
    """The widget of `Run.song`."""
    widget_class()
    opened = explored(run)
    played = of_set(opened, _key(opened, song))
    piece = played.piece
    drawn, _ = roll(piece, opened.scheme)
    data: dict[str, Any] = {"roll": drawn, "values": None, "max": None, "title": piece.name, "sound": None}
    if latent is not None:
        values = played.firings.of_latent(run.check_latent(latent), len(piece.tokens))
        data["values"] = values[drawn["notes"]["token"]]
        data["max"] = float(run.index.statistics.max[latent])
        name = run.name(latent)
        data["title"] += f" · latent {latent}{f': {name}' if name else ''}"
    if sound:
        made = sound_of(piece, opened.scheme.resolution, 0, piece.end)
        data["sound"] = base64.b64encode(ogg_bytes(smaller(made))).decode()
    return make_widget(data, data["title"])


def _key(opened: Explored, song: str | int) -> str:
    names = opened.pieces.sequences.names
    if isinstance(song, str) and song in names:
        return str(names.index(song))
    if isinstance(song, int) or song.isdigit():
        return str(song)
    raise unknown("song", song, [*names[:8], "…"])
