"""What fields of an ABC tune say: metre, unit length, key, clef and transposition, voices, parts, macros, programs.

Numbers after "§" are sections of the ABC standard 2.1 (abcnotation.com/wiki/abc:standard:v2.1). Directives that begin
with MIDI are those of abc2midi (its `doc/abcguide.txt`): programs and channels count from 0 and 1; `MIDI voice …
instrument=` (§11.2) counts from 1.
"""

import re
from dataclasses import dataclass, field, replace
from fractions import Fraction

from music_interpret.music.formats.written import BrokenScore

LETTERS = "CDEFGAB"
FIFTHS = (0, 2, 4, -1, 1, 3, 5)
"""Place of each of `LETTERS` on the line of fifths; a sharp adds 7."""
SEMITONES = (0, 2, 4, 5, 7, 9, 11)
ALTERATIONS = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}
MODES = {"": 0, "maj": 0, "ion": 0, "lyd": 1, "mix": -1, "dor": -2, "m": -3, "min": -3, "aeo": -3, "phr": -4, "loc": -5}
"""Sharps that a mode has more than the major key of its tonic."""
HIGHLAND_PIPES = (1, 0, 0, 1, 0, 0, 0)
NO_SIGNATURE = (0,) * 7
MOST_PARTS, MOST_MACROS, MOST_EXPANSION = 1000, 100, 1_000_000

METRE = re.compile(r"\(?\s*(\d+(?:\s*\+\s*\d+)*)\s*\)?\s*/\s*(\d+)")
UNIT = re.compile(r"(\d+)(?:\s*/\s*(\d+))?\s*(?![\d/])")
TONIC = re.compile(r"([A-G])([#b♯♭]?)(?:\s*(?:([mM](?![a-zA-Z]))|([a-zA-Z]{3,})))?")
SMALL_TONIC = re.compile(r"[a-g][#b]?(m|(min|maj|mix|dor|aeo|phr|lyd|ion|loc)[a-z]*)?(?=\s|$)", re.IGNORECASE)
SIGNATURE_MARK = re.compile(r"(\^\^|\^|__|_|=)\s*([A-Ga-g])(?![a-zA-Z])")
PARAMETER = re.compile(r"([A-Za-z][\w:-]*)\s*=\s*(\"[^\"]*\"?|'[^']*'?|[^\s\"']+)|(\"[^\"]*\"?)|([^\s\"]+)")
CLEF = re.compile(r"(?:treble|alto|tenor|bass|baritone|soprano|mezzosoprano|perc)\d?([+-](?:8|15))?$")
CLEF_VALUE = re.compile(r"[a-zA-Z]+\d?([+-](?:8|15))?$")


def metre(text: str) -> tuple[int, int] | None:
    """Numerator and denominator (§3.1.6); None for free metre. Sums of fractions have the smallest denominator."""
    text = text.strip()
    if text in ("C", "c"):
        return 4, 4
    if text.startswith(("C|", "c|")):
        return 2, 2
    terms = [(sum(map(int, upper.split("+"))), int(lower)) for upper, lower in METRE.findall(text)]
    if not terms or not all(0 < upper < 1000 and 0 < lower < 1000 for upper, lower in terms):
        return None
    denominator = max(lower for _, lower in terms)
    total = sum(Fraction(upper, lower) for upper, lower in terms) * denominator
    return (int(total), denominator) if total.denominator == 1 else None


def unit_length(text: str) -> Fraction:
    """Length of a note without a number, in whole notes (§3.1.7)."""
    match = UNIT.match(text.strip())
    numerator, denominator = (int(match[1][:9]), int((match[2] or "1")[:9])) if match else (0, 1)
    if not numerator or not denominator:
        raise BrokenScore(f"the unit note length is {text.strip()[:20]!r}; expected a fraction such as 1/8")
    return Fraction(numerator, denominator)


def default_unit(of_metre: tuple[int, int] | None) -> Fraction:
    """Unit length of a tune without `L:`: a sixteenth if the metre is below 3/4, else an eighth (§3.1.7)."""
    return Fraction(1, 16) if of_metre and Fraction(*of_metre) < Fraction(3, 4) else Fraction(1, 8)


def key_signature(text: str) -> tuple[int, ...] | None:
    """Alteration of each of `LETTERS` (§3.1.14); None if the field names no key, only a clef or the like."""
    text = text.strip()
    if text.startswith(("HP", "Hp")):
        return HIGHLAND_PIPES
    if not text or re.match(r"none\b", text, re.IGNORECASE):
        return _marked(NO_SIGNATURE, text)
    if SMALL_TONIC.match(text):
        text = text[0].upper() + text[1:]
    match = TONIC.match(text)
    if match is None or CLEF.match(text.split()[0]):
        return _marked(NO_SIGNATURE, text) if SIGNATURE_MARK.match(text) else None
    mode = (match[3] or (match[4] or "")[:3]).lower()
    if mode == "exp":
        return _marked(NO_SIGNATURE, text)
    sharps = FIFTHS[LETTERS.index(match[1])] + MODES.get(mode, 0)
    sharps += 7 * {"#": 1, "♯": 1, "b": -1, "♭": -1}.get(match[2], 0)
    # F sharp, at place 6, comes with the first sharp, and each further one a place higher.
    return _marked(tuple((sharps - place + 5) // 7 for place in FIFTHS), text)


def _marked(signature: tuple[int, ...], text: str) -> tuple[int, ...]:
    """A signature with the accidentals that a key field adds to it."""
    altered = list(signature)
    for mark, letter in SIGNATURE_MARK.findall(text):
        altered[LETTERS.index(letter.upper())] = ALTERATIONS[mark]
    return tuple(altered)


@dataclass(frozen=True, slots=True)
class Sounding:
    """How what is written sounds, as clefs, `octave=` and `transpose=` of `K:` and `V:` say (§4.6)."""

    clef_octave: int = 0
    octave: int = 0
    transpose: int = 0
    midi_transpose: int = 0
    percussion: bool = False

    @property
    def semitones(self) -> int:
        """To add to the written pitch."""
        return 12 * (self.clef_octave + self.octave) + self.transpose + self.midi_transpose

    def after(self, text: str) -> "Sounding":
        """What holds after a `K:` or `V:` field. `middle=` says where notes are drawn, not how they sound."""
        changed = self
        for name, value, _, word in PARAMETER.findall(text):
            clef = CLEF_VALUE.match(value.strip("\"'")) if name.lower() in ("clef", "cl") else CLEF.match(word)
            if clef:
                octaves = {"+8": 1, "-8": -1, "+15": 2, "-15": -2}.get(clef[1], 0)
                changed = replace(changed, clef_octave=octaves, percussion=clef[0].startswith("perc"))
            elif name in ("transpose", "t"):
                changed = replace(changed, transpose=_integer(value, changed.transpose))
            elif name == "midi_transpose":
                changed = replace(changed, midi_transpose=_integer(value, changed.midi_transpose))
            elif name == "octave":
                changed = replace(changed, octave=_integer(value, changed.octave))
        return changed


def _integer(text: str, otherwise: int) -> int:
    match = re.match(r"\s*([+-]?\d{1,4})(?!\d)", text)
    return int(match[1]) if match else otherwise


def fifths(semitones: int) -> int:
    """Steps on the line of fifths of a transposition: -2 semitones are a major second down, 3 a minor third up."""
    steps = 7 * semitones % 12
    return steps - 12 if steps > 6 else steps


def voice_name(text: str) -> str:
    """Name of a voice, or an empty string."""
    for name, value, _, _ in PARAMETER.findall(text):
        if name in ("name", "nm"):
            return value.strip("\"'").replace("\\n", " ").strip()
    return ""


@dataclass(slots=True)
class Midi:
    """Instrument of a voice, as `MIDI` directives state it; of voice 0, what all voices begin with."""

    number: int = 0
    """Of the voice, from 1 on: its channel unless a directive gives it another."""
    program: int | None = None
    """Of channels without one of their own."""
    channel: int = 0
    programs: dict[int, int] = field(default_factory=dict)
    """Of channels."""

    def of_voice(self, number: int) -> "Midi":
        """As a new voice takes it over."""
        return Midi(number, self.program, self.channel, dict(self.programs))

    @property
    def drums(self) -> bool:
        """Whether it plays on the channel of percussion."""
        return self.channel == 10

    @property
    def stated_program(self) -> int | None:
        """Program, 0 … 127, None if no directive says it."""
        return self.programs.get(self.channel or self.number, self.program)

    def play(self, program: int) -> None:
        """Take a program from here on."""
        if self.number:
            self.programs[self.channel or self.number] = program
        else:
            self.program = program

    def obey(self, words: list[str]) -> None:
        """Take over `program [channel] n`, `channel n` or `voice [name] instrument=n`, without its name."""
        numbers = [int(word) for word in words[1:3] if re.fullmatch(r"[0-9]{1,3}", word)]
        instrument = re.search(r"\binstrument=([0-9]{1,3})\b", " ".join(words))
        if words[0] == "voice" and instrument and 1 <= int(instrument[1]) <= 128:
            self.play(int(instrument[1]) - 1)
        elif words[0] == "channel" and numbers:
            self.channel = numbers[0]
        elif words[0] == "program" and numbers and numbers[-1] < 128:
            if len(numbers) == 2:
                self.programs[numbers[0]] = numbers[1]
            else:
                self.play(numbers[0])


def part_order(text: str) -> list[str]:
    """Order of playing in a header's `P:` (§3.1.9): "(AB)3.C" is A B A B A B C."""
    opened: list[list[str]] = [[]]
    last: list[str] = []
    for token in re.findall(r"[A-Za-z]|[()]|\d+", text):
        if token == "(":
            opened.append([])
        elif token == ")":
            if len(opened) > 1:
                last = opened.pop()
                opened[-1] += last
        elif token.isdigit():
            times = min(int(token[:4]), MOST_PARTS)
            opened[-1] += last * (times - 1)
            last = []
        else:
            last = [token]
            opened[-1] += last
        if sum(map(len, opened)) > MOST_PARTS:
            raise BrokenScore(f"P: lists more than {MOST_PARTS} parts")
    return [part for level in opened for part in level]


class Macros:
    """Macros (§9): texts that stand for others, `n` in them for any note."""

    def __init__(self) -> None:
        self._definitions: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None
        self._expanded = 0

    def define(self, text: str) -> None:
        """Take over what follows `m:`."""
        target, equals, replacement = text.partition("=")
        if "=" in replacement and target.strip() in ("", "^", "_"):  # a target that begins with a natural
            more, equals, replacement = replacement.partition("=")
            target += "=" + more
        if target.strip() and equals:
            self._definitions[target.strip()] = replacement.strip()
            self._pattern = None
            if len(self._definitions) > MOST_MACROS:
                raise BrokenScore(f"it defines more than {MOST_MACROS} macros")

    def __bool__(self) -> bool:
        return bool(self._definitions)

    def expand(self, line: str) -> str:
        """A line of music with its macros written out."""
        if not self._definitions:
            return line
        if self._pattern is None:
            targets = sorted(self._definitions, key=len, reverse=True)
            self._pattern = re.compile('"[^"]*"|' + "|".join(f"(?:{_target(t)})" for t in targets))
        return self._pattern.sub(self._replacement, line)

    def _replacement(self, match: re.Match[str]) -> str:
        found = match[0]
        if found.startswith('"'):
            return found
        text = self._definitions.get(found)
        if text is None:
            target = next(t for t in self._definitions if "n" in t and re.fullmatch(_target(t), found))
            text = _transposed(self._definitions[target], found[target.index("n") :])
        self._expanded += len(text)
        if self._expanded > MOST_EXPANSION:
            raise BrokenScore(f"its macros expand to more than {MOST_EXPANSION:,} characters")
        return text


def _target(target: str) -> str:
    """Pattern of a macro's target; of a note, it is followed by no other length."""
    end = r"(?![\d/,'])" if re.search(r"[A-Ga-gn][,']*[\d/]*$", target) else ""
    return "[A-Ga-g][,']*".join(map(re.escape, target.split("n", 1))) + end


def _transposed(replacement: str, found: str) -> str:
    """Replacement of a transposing macro, whose letters h … z count from n, the note that `found` begins with."""
    note = re.match(r"([A-Ga-g])([,']*)", found)
    assert note is not None
    octave = note[1].islower() + note[2].count("'") - note[2].count(",")
    place = 7 * octave + LETTERS.index(note[1].upper())

    def written(match: re.Match[str]) -> str:
        if len(match[0]) > 1:
            return match[0]
        octave, letter = divmod(place + ord(match[0]) - ord("n"), 7)
        return LETTERS[letter].lower() + "'" * (octave - 1) if octave > 0 else LETTERS[letter] + "," * -octave

    return re.sub(r'"[^"]*"|![^!\s]+!|[h-z]', written, replacement)
