"""pretty_midi, its seconds turned back into ticks."""

import warnings
from importlib.metadata import version
from pathlib import Path

import pretty_midi
from _common import Head, Piece, piece, serve

warnings.simplefilter("ignore")


def read(path: Path) -> list[Piece | None]:
    midi = pretty_midi.PrettyMIDI(str(path))
    ticks, quarter = midi.time_to_tick, midi.resolution
    notes = [note for instrument in midi.instruments if not instrument.is_drum for note in instrument.notes]
    return [piece([Head(ticks(n.start) / quarter, ticks(n.end) / quarter, n.pitch) for n in notes], midi=True)]


serve(f"pretty_midi {version('pretty_midi')}", read)
