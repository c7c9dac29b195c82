"""mido: its messages, a note ending at the next note-off of channel and pitch, the note that began first at first."""

from collections import deque
from importlib.metadata import version
from pathlib import Path

import mido
from _common import Head, Piece, piece, serve

DRUM_CHANNEL = 9


def read(path: Path) -> list[Piece | None]:
    midi = mido.MidiFile(path)
    heads = []
    for track in midi.tracks:
        now = 0
        begun: dict[tuple[int, int], deque[int]] = {}
        for message in track:
            now += message.time
            if message.type not in ("note_on", "note_off") or message.channel == DRUM_CHANNEL:
                continue
            sounding = begun.setdefault((message.channel, message.note), deque())
            if message.type == "note_on" and message.velocity:
                sounding.append(now)
            elif sounding:
                onset = sounding.popleft()
                heads.append(Head(onset / midi.ticks_per_beat, now / midi.ticks_per_beat, message.note))
    return [piece(heads, midi=True)]


serve(f"mido {version('mido')}", read)
