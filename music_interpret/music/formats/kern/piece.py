"""Humdrum kern: spines of notes, read as they are written.

A record's notes begin together, where the notes before them in their paths end. A path that has had only null tokens
since it was made has no say in that; where paths disagree, a length is misspelt, and all go on from the one time. Bars
follow from barlines. A part is a spine, but spines of one `*part`, or of one keyboard instrument, are one part. Grace
notes, unpitched ones and alternatives to what is played (`*ossia`, all strophes but the first) are left out.

Sources: Humdrum Reference Manual, 1995; Humdrum User Guide. `humdrum.py` follows spines, `kern_tokens.py` reads tokens,
`kern_bars.py` bars and sections.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from music_interpret.music.formats.kern import humdrum
from music_interpret.music.formats.kern import tokens as kern_tokens
from music_interpret.music.formats.kern.bars import Layout
from music_interpret.music.formats.kern.humdrum import Piece, Record
from music_interpret.music.formats.kern.instruments import KEYBOARDS, Player
from music_interpret.music.formats.written import BrokenPiece, BrokenScore, Instrument, WrittenScore

KERN = "**kern"
MOST_TICKS = 10**9
PART = re.compile(r"\*part(\d+)")


def read(path: Path) -> list[WrittenScore | BrokenPiece]:
    """The pieces of a file, mostly one."""
    text = humdrum.read_text(path)
    if not re.search(r"(?m)(?:^|\t)\*\*kern\s", text):
        raise BrokenScore("it has no **kern spine")
    pieces = humdrum.pieces(text)
    if len(pieces) == 1:
        return [_read_piece(pieces[0])]
    scores: list[WrittenScore | BrokenPiece] = []
    for number, piece in enumerate(pieces, 1):
        try:
            scores.append(_read_piece(piece))
        except BrokenScore as error:
            scores.append(BrokenPiece(title=_title(piece) or f"piece {number}", reason=str(error)))
    return scores


def _title(piece: Piece) -> str:
    return humdrum.reference(piece, "OTL", "OPR", "OMD", "SEGMENT")


class _Timed(NamedTuple):
    """A token in ticks."""

    heads: list[kern_tokens.Head]
    left_out: list[str]
    length: int
    """0 if it takes no time."""


@dataclass
class _Voice:
    """Where a path has got to."""

    spine: int
    end: int = 0
    """Of its latest note or rest."""
    fresh: bool = True
    """Whether it has had no note or rest of its own."""
    plays: Player = Player()
    instrument: int = -1
    """Number of it; -1 if it has not been heard yet."""
    silent: bool = False
    """Whether it is an alternative to what is played."""
    graced: int | None = None
    """When it last had a grace note in a record of others' notes: its own note, in the next record, begins then too."""


def _read_piece(piece: Piece) -> WrittenScore:
    records = list(humdrum.records(piece, KERN))
    ticks, tokens = _timed_tokens(records)
    reading = _Reading(tokens, ticks)
    for record in records:
        reading.take(record)
    return reading.score(_title(piece), kern_tokens.count_notes(piece.lines))


def _timed_tokens(records: list[Record]) -> tuple[int, dict[str, _Timed]]:
    """Ticks per quarter note, the fewest in which all lengths are whole, and what each token says in them."""
    parsed: dict[str, kern_tokens.Token] = {}
    for record in records:
        for _, token in record.tokens:
            if token in parsed or token[0] in "*=!":
                continue
            try:
                parsed[token] = kern_tokens.parse(token)
            except BrokenScore as error:
                raise BrokenScore(f"line {record.line}: {error}") from None
    lengths = {token.quarters for token in parsed.values() if token.quarters}
    ticks = math.lcm(*(length.denominator for length in lengths))
    if ticks > MOST_TICKS:
        raise BrokenScore(f"its lengths need {ticks} ticks per quarter note; expected at most {MOST_TICKS}")
    return ticks, {
        text: _Timed(token.heads, token.left_out, int((token.quarters or 0) * ticks)) for text, token in parsed.items()
    }


class _Reading:
    """A piece while its records are taken one after another."""

    def __init__(self, tokens: dict[str, _Timed], ticks: int) -> None:
        self.tokens = tokens
        self.ticks = ticks
        self.layout = Layout(ticks)
        self.rows: list[tuple[int, ...]] = []
        self.instruments: dict[Instrument, int] = {}
        self.parts: dict[int, str] = {}
        self.strophes: dict[int, str] = {}
        self.left_out: Counter[str] = Counter()
        self.voices: dict[int, _Voice] = {}
        self.live: list[_Voice] = []
        self.time = -1

    def take(self, record: Record) -> None:
        """Read a record."""
        if record.tokens:
            sign = record.tokens[0][1][0]
            if sign == "*":
                self._interpret(record.tokens)
            elif sign == "=":
                self.layout.add(max((token for _, token in record.tokens), key=len))
            elif all(token in self.tokens for _, token in record.tokens):
                self._sound([(self.voices[path], self.tokens[token]) for path, token in record.tokens])
            else:
                raise BrokenScore(f"line {record.line} mixes notes with other tokens; expected notes alone")
        if record.paths is not None:
            self._follow(record.paths)

    def score(self, title: str, note_tokens: int | None) -> WrittenScore:
        """What has been read."""
        end = max([0, *(voice.end for voice in self.live), *(row[1] for row in self.rows)])
        self.layout.settle(end)
        notes = np.array(self.rows, np.int64).reshape(-1, 8)
        if self.rows:
            notes[:, 4] = self._part_numbers()[notes[:, 4]]
        bars = self.layout.bars(end)
        return WrittenScore(
            ticks=self.ticks,
            notes=notes,
            instruments=list(self.instruments),
            title=title,
            bars=bars,
            signatures=[] if bars else self.layout.signatures(),
            played=self.layout.played(end),
            left_out=self.left_out,
            note_tokens=note_tokens,
        )

    def _part_numbers(self) -> np.ndarray:
        """Number of the part of each spine."""
        spines = range(max(row[4] for row in self.rows) + 1)
        numbers: dict[str, int] = {}
        return np.array([numbers.setdefault(self.parts.get(s, f"spine {s}"), len(numbers)) for s in spines])

    def _follow(self, paths: list[humdrum.SpinePath]) -> None:
        """Take over paths that have changed."""
        for path in paths:
            if path.number not in self.voices:
                parents = [self.voices[parent] for parent in path.parents if parent in self.voices]
                if parents:
                    end, fresh = max(p.end for p in parents), all(p.fresh for p in parents) or len(path.parents) == 1
                    voice = replace(parents[0], end=end, fresh=fresh, silent=all(p.silent for p in parents))
                else:
                    voice = _Voice(path.spine, fresh=self.time >= 0)
                self.voices[path.number] = voice
        self.live = [self.voices[path.number] for path in paths]

    def _sound(self, columns: list[tuple[_Voice, _Timed]]) -> None:
        """Notes and rests that begin together."""
        timed = any(token.length for _, token in columns)
        if timed:
            self.time = self._time(columns)
            self.layout.settle(self.time)
        for voice, token in columns:
            self.left_out.update(token.left_out)
            if token.length:
                voice.end, voice.fresh, voice.graced = self.time + token.length, False, None
            elif timed:
                voice.graced = self.time
            if token.heads and voice.silent:
                self.left_out["ossia"] += len(token.heads)
            elif token.heads:
                if voice.instrument < 0:
                    voice.instrument = self.instruments.setdefault(voice.plays.instrument(), len(self.instruments))
                for pitch, spelling, *ties in token.heads:
                    place = (self.time, voice.end, pitch, spelling, voice.spine, voice.instrument)
                    self.rows.append((*place, *ties))

    def _time(self, columns: list[tuple[_Voice, _Timed]]) -> int:
        """When the notes and rests of a record begin: where the ones before them in their paths end."""
        if all(v.graced == self.time for v, token in columns if token.length):
            return self.time
        ends = [v.end for v, token in columns if token.length and not v.fresh and v.end > self.time]
        if ends:
            # Where lengths are misspelt, most probably at the time of the coarsest metrical level.
            same = ends.count(ends[0]) == len(ends)
            return ends[0] if same else max(ends, key=lambda end: (math.gcd(end, self.ticks), ends.count(end), end))
        return min((voice.end for voice in self.live if voice.end > self.time), default=max(self.time, 0))

    def _interpret(self, columns: list[tuple[int, str]]) -> None:
        metres = Counter(token for _, token in columns if token.startswith("*M") and not token.startswith("*MM"))
        labels = [token for _, token in columns if token.startswith("*>")]
        for token in [*(metre for metre, _ in metres.most_common(1)), *labels[:1]]:
            self.layout.add(token)
        for path, token in columns:
            voice = self.voices[path]
            if token.startswith(("*I", "*clef")):
                plays = voice.plays.after(token, voice.instrument >= 0)
                if plays != voice.plays:
                    voice.plays, voice.instrument = plays, -1
                    if plays.code in KEYBOARDS:
                        self.parts.setdefault(voice.spine, plays.code)
            elif found := PART.match(token):
                self.parts[voice.spine] = f"part {found[1]}"
            elif token in ("*ossia", "*Xossia"):
                voice.silent = token == "*ossia"
            elif token.startswith("*S/"):
                voice.silent = token not in ("*S/fin", self.strophes.setdefault(voice.spine, token))
            elif token == "*S-":
                self.strophes.pop(voice.spine, None)
