"""The tokens of ABC music code, and what each does to its voice.

Characters without a meaning are skipped, as the ABC standard 2.1 asks; a chord, a text or a group of grace notes that
does not end in its line makes the tune unreadable, for nobody knows where it ends.
"""

import re
from collections.abc import Callable

from music_interpret.music.formats.abc.voice import MOST_DIGITS, Head, Voice, factor, head
from music_interpret.music.formats.written import BrokenScore

LENGTH = r"\d*(?:/\d+|/+)?"
DECORATION = r"![^!\s|\[\]]*!|!(?i:d\.\s*[cs]\.|da |dal |to )[^!|\[\]:]{0,20}!|\+[^+\s|\[\]:]+\+"
TOKEN = re.compile(
    rf"""(?P<note>(\^\^|__|=|[_^](?:\d+(?:/\d*)?|/\d*)?)?([A-Ga-g])([,']*)({LENGTH}))
    |(?P<rest>[zx]({LENGTH}))
    |(?P<bar_rest>[ZX](\d*))
    |(?P<text>"([^"]*)")
    |(?P<decoration>{DECORATION})
    |(?P<field>\[([A-Za-z]):([^\]]*)\])
    |(?P<ending>\[(\d+(?:[,-]\d+)*))
    |(?P<bar>\.?((?:[:|\]]|\[(?=[|\]:]))+)(?:\[?(\d+(?:[,-]\d+)*))?)
    |(?P<chord>\[((?:[^\]\[|"!]|"[^"]*"|![^!\s|\[\]]*!)*)\]({LENGTH}))
    |(?P<grace>\{{([^}}]*)\}})
    |(?P<tuplet>\((\d+)(?::(\d*))?(?::(\d*))?)
    |(?P<broken>>+|<+)
    |(?P<tie>-)
    |(?P<overlay>&+)
    |(?P<bracket>\["[^"]*")
    |(?P<letter>[H-Wh-w~])
    |(?P<unclosed>["\[{{])""",
    re.VERBOSE,
)
NO_BRACKETS = str.maketrans("[]", "  ")
UNCLOSED = {
    '"': 'a text in quotation marks has no closing "',
    "[": "a chord or field has no closing ]",
    "{": "grace notes have no closing }",
}
NOT_NOTES = re.compile(rf'\[[A-Za-z]:[^\]]*\]|"[^"]*"|{DECORATION}')
NOTE_LETTER = re.compile("[A-Ga-g]")


def note_letters(line: str) -> int:
    """How many letters of a line of music are notes, by a search: all but those of fields, texts and decorations."""
    return len(NOTE_LETTER.findall(NOT_NOTES.sub("", line)))


def _passes(text: str) -> frozenset[int]:
    """Numbers of a variant ending: "1,3,5-7"."""
    numbers: set[int] = set()
    for item in text.split(","):
        first, _, last = item.partition("-")
        numbers.update(range(int(first[:2]), int((last or first)[:2]) + 1))
    return frozenset(numbers)


def _number(text: str | None) -> int:
    return int(text[:MOST_DIGITS]) if text else 0


class MusicReader:
    """Reads lines of music into voices.

    Args:
        voice: gives the voice that is written now.
        field: takes the letter and value of a field within the music.
        letters: decorations that single letters stand for (`U:`).
    """

    def __init__(self, voice: Callable[[], Voice], field: Callable[[str, str], None], letters: dict[str, str]) -> None:
        self._voice, self._field, self._letters = voice, field, letters
        self.grace_notes = 0

    def read(self, line: str) -> None:
        """Read a line of music."""
        voice = self._voice()
        for match in TOKEN.finditer(line):
            kind, index = match.lastgroup, match.lastindex or 0
            if kind == "note":
                voice.note(head(*match.group(2, 3, 4, 5)))
            elif kind == "field":
                self._field(match[index + 1], match[index + 2].strip())
                voice = self._voice()
            elif kind != "bracket":
                getattr(self, f"_{kind}")(voice, match, index)

    def _rest(self, voice: Voice, match: re.Match[str], index: int) -> None:
        voice.rest(*factor(match[index + 1]))

    def _bar_rest(self, voice: Voice, match: re.Match[str], index: int) -> None:
        voice.bar_rests(_number(match[index + 1]) or 1)

    def _text(self, voice: Voice, match: re.Match[str], index: int) -> None:
        voice.decorate(match[index + 1])

    def _decoration(self, voice: Voice, match: re.Match[str], index: int) -> None:
        voice.decorate(match[index][1:-1])

    def _letter(self, voice: Voice, match: re.Match[str], index: int) -> None:
        voice.decorate(self._letters.get(match[index], ""))

    def _ending(self, voice: Voice, match: re.Match[str], index: int) -> None:
        voice.ending(_passes(match[index + 1]))

    def _bar(self, voice: Voice, match: re.Match[str], index: int) -> None:
        """Barlines come in all shapes (§4.8); a colon or bracket alone is none."""
        shape = match[index + 1]
        lines = shape.strip(":")
        if not lines and len(shape) > 1:
            voice.bar(len(shape) // 2, len(shape) // 2, True)
        elif "|" in lines:
            before, after = len(shape) - len(shape.lstrip(":")), len(shape) - len(shape.rstrip(":"))
            voice.bar(before, after, bool(before or after) or (lines != "|" and lines != "[|]"))
        if match[index + 2]:
            voice.ending(_passes(match[index + 2]))

    def _chord(self, voice: Voice, match: re.Match[str], index: int) -> None:
        heads: list[Head | tuple[int, int]] = []
        tied: set[int] = set()
        notes = 0
        for inner in TOKEN.finditer(match[index + 1]):
            kind, place = inner.lastgroup, inner.lastindex or 0
            if kind == "note":
                heads.append(head(*inner.group(2, 3, 4, 5)))
                notes += 1
            elif kind == "rest":
                heads.append(factor(inner[place + 1]))
            elif kind == "tie" and notes:
                tied.add(notes - 1)
            elif kind == "grace":
                self._grace(voice, inner, place)
            elif kind == "unclosed":
                self._unclosed(voice, inner, place)
        if heads:
            voice.chord(heads, tied, factor(match[index + 2]))

    def _grace(self, voice: Voice, match: re.Match[str], index: int) -> None:
        inside = TOKEN.finditer(match[index + 1].translate(NO_BRACKETS))
        self.grace_notes += sum(inner.lastgroup == "note" for inner in inside)

    def _tuplet(self, voice: Voice, match: re.Match[str], index: int) -> None:
        voice.tuplet(*(_number(text) for text in match.group(index + 1, index + 2, index + 3)))

    def _broken(self, voice: Voice, match: re.Match[str], index: int) -> None:
        voice.broken_rhythm(match[index])

    def _tie(self, voice: Voice, match: re.Match[str], index: int) -> None:
        voice.tie()

    def _overlay(self, voice: Voice, match: re.Match[str], index: int) -> None:
        voice.overlay(len(match[index]))

    def _unclosed(self, voice: Voice, match: re.Match[str], index: int) -> None:
        raise BrokenScore(UNCLOSED[match[index]])
