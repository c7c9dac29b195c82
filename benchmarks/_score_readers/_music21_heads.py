"""Note heads of a music21 score, sounding."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _common import Head, Piece, exact, piece
from music21 import chord, converter, note, stream

FORMATS = {".krn": "humdrum", ".abc": "abc", ".mei": "mei"}


def read(path: Path) -> list[Piece | None]:
    """The pieces of a file; of a book, whatever music21 takes for a tune."""
    reader = converter.Converter()
    reader.parseFileNoPickle(path.resolve(), format=FORMATS.get(path.suffix.lower(), "musicxml"))
    score: Any = reader.stream
    return [piece(heads(each)) for each in (score.scores if isinstance(score, stream.Opus) else [score])]


def heads(score: Any) -> Iterator[Head]:
    sounding = score.toSoundingPitch()
    for number, part in enumerate(list(sounding.parts) or [sounding]):
        flat = part.flatten()
        for element in flat.getElementsByClass((note.Note, chord.Chord)):
            if element.duration.isGrace or "ChordSymbol" in element.classes:
                continue
            onset = exact(flat.elementOffset(element))
            end = onset + exact(element.quarterLength)
            for head in element.notes if isinstance(element, chord.Chord) else (element,):
                tie = head.tie.type if head.tie else ""
                on, back = tie in ("start", "continue"), tie in ("stop", "continue")
                yield Head(onset, end, head.pitch.midi, number, on, back)
