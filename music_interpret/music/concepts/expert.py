"""Concepts of expert annotations: harmony, keys, cadences and phrases that analysts wrote into scores.

Read are the tables of the DCML corpora (github.com/DCMLab; version 2 of the annotation standard, as ms3 extracts it):
`harmonies/<piece>.harmonies.tsv` and, to find where the song is in it, `notes/<piece>.notes.tsv`; how they are laid
over songs is in `music/annotations.py`. An analyst sees the whole score, so everything here is `future`.

A label holds from its onset up to the next; "@none" ends a harmony. Before the first label there is none.
"""

from collections import Counter
from collections.abc import Callable

import numpy as np

from music_interpret.errors import InputError
from music_interpret.music.annotations import Annotations
from music_interpret.music.concepts.concept import NONE, Concept, concept
from music_interpret.music.songs import Songs

REFERENCE = "Hentschel, Neuwirth and Rohrmeier, The Annotated Mozart Sonatas, TISMIR 2021"
MAX_VALUES = 40
"""So many values of a concept are kept, the most frequent ones; the others count as none."""
NO_HARMONY = "@none"
INVERSIONS = {
    "root position": ("", "7"),
    "first inversion": ("6", "65"),
    "second inversion": ("64", "43"),
    "third inversion": ("2", "42"),
}
INVERSION_OF_FIGURES = {figures: name for name, all_figures in INVERSIONS.items() for figures in all_figures}
CHORD_TYPES = {
    "M": "major",
    "m": "minor",
    "o": "diminished",
    "+": "augmented",
    "Mm7": "dominant seventh",
    "MM7": "major seventh",
    "mm7": "minor seventh",
    "mM7": "minor-major seventh",
    "o7": "diminished seventh",
    "%7": "half-diminished seventh",
    "+7": "augmented seventh",
    "+M7": "augmented major seventh",
    "It": "Italian sixth",
    "Fr": "French sixth",
    "Ger": "German sixth",
}
CADENCES = {
    "PAC": "perfect authentic",
    "IAC": "imperfect authentic",
    "HC": "half",
    "DC": "deceptive",
    "EC": "evaded",
    "PC": "plagal",
}
DEGREES = "4152637"
"""Degrees of the major scale in fifths, from the fourth degree on."""


def expert_concepts(annotations: Annotations) -> list[Concept]:
    """The concepts of annotations that have the columns `COLUMNS`, with the values that occur in them.

    A concept of which no table says anything is left out.

    Raises:
        InputError: a root or key that cannot be read.
    """
    harmonic = np.array([text not in ("", NO_HARMONY) for text in annotations.column("numeral")])
    found = []
    for name, column, reader, definition in STATES:
        where = f"{column} in {annotations.folder}"
        rows = harmonic if column in CHORDAL else annotations.labelled
        texts = zip(annotations.column(column), rows.tolist(), strict=True)
        values, numbers = _values(
            [value if there else "" for value, there in ((reader(x, where), y) for x, y in texts)]
        )
        found += [_state(f"expert {name}", values, numbers, annotations, definition)] if values else []
    values, numbers = _values([_named(CADENCES, text) for text in annotations.column("cadence")])
    found += [_cadence(values, numbers, annotations)] if values else []
    for name, signs, definition in PHRASE_SIGNS:
        rows = np.array([any(sign in text for sign in signs) for text in annotations.column("phraseend")])
        found += [_sign(f"expert {name}", rows, annotations, definition)] if rows.any() else []
    return found


def degree_name(fifths: int) -> str:
    """A degree above the tonic that lies so many fifths up: "1", "5", "♭3"; counted on the major scale."""
    times, degree = divmod(fifths + 1, 7)
    return ("♯" * times or "♭" * -times) + DEGREES[degree]


def _root(text: str, where: str) -> str:
    try:
        fifths = float(text) if text else None
    except ValueError:
        fifths = np.nan
    if fifths is None:
        return ""
    if not abs(fifths) < 60 or fifths % 1:
        raise InputError(f"{where} is {text!r}; expected a whole number of fifths")
    return degree_name(int(fifths))


def _key_name(text: str, where: str) -> str:
    if not text:
        return ""
    if text[0].upper() not in "ABCDEFG" or text[1:].strip("#b"):
        raise InputError(f"{where} is {text!r}; expected a note's name, of a minor key in lower case, such as F# or bb")
    signs = text[1:].replace("#", "♯").replace("b", "♭")
    return f"{text[0].upper()}{signs} {'minor' if text[0].islower() else 'major'}"


def _as_is(text: str, where: str) -> str:
    return text


def _named(names: dict[str, str], text: str) -> str:
    return names.get(text, text)


# Name, column, how its text reads, definition.
STATES: tuple[tuple[str, str, Callable[[str, str], str], str], ...] = (
    ("numeral", "numeral", _as_is, "The analyst's Roman numeral of the chord, in the key that it is heard in."),
    (
        "root",
        "root",
        _root,
        "Degree of the chord's root in the local key, counted on the major scale: ♭3 is a minor third above the tonic.",
    ),
    ("chord type", "chord_type", lambda text, _: _named(CHORD_TYPES, text), "The analyst's kind of chord."),
    ("inversion", "figbass", lambda text, _: INVERSION_OF_FIGURES.get(text, ""), "Which chord tone is in the bass."),
    (
        "relative root",
        "relativeroot",
        _as_is,
        "The degree that the chord is applied to, as its dominant or the like; none of other chords.",
    ),
    (
        "local key",
        "localkey",
        _as_is,
        "The key at the note as a degree of the piece's key, in lower case if it is minor.",
    ),
    ("global key", "globalkey", _key_name, "The key of the piece."),
    ("pedal", "pedal", _as_is, "The degree that is held as a pedal point; none without one."),
)
CHORDAL = frozenset({"numeral", "root", "chord_type", "figbass", "relativeroot"})
"""Columns that say nothing where the label says that there is no harmony."""
COLUMNS = (*(column for _, column, _, _ in STATES), "cadence", "phraseend")
PHRASE_SIGNS = (
    ("phrase end", ("}", "\\"), "At the note's onset a phrase reaches its end."),
    ("phrase start", ("{",), "At the note's onset a phrase begins."),
)


def _values(texts: list[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """The values, most frequent first, and the number of each row's, -1 for none."""
    counts = Counter(text for text in texts if text)
    values = sorted(counts, key=lambda value: (-counts[value], value))[:MAX_VALUES]
    number = {value: i for i, value in enumerate(values)}
    return tuple(values), np.array([number.get(text, NONE) for text in texts], np.int16)


def _make(name: str, values: tuple[str, ...], definition: str, compute: Callable[[Songs], np.ndarray]) -> Concept:
    compute.__doc__ = definition
    return concept(name, values=values, group="expert", leakage="future", reference=REFERENCE, many=True)(compute)


def _state(
    name: str, values: tuple[str, ...], numbers: np.ndarray, annotations: Annotations, definition: str
) -> Concept:
    """A concept of the label in force."""

    def compute(songs: Songs) -> np.ndarray:
        label = songs.once(annotations.placed).label
        return np.where(label == NONE, NONE, numbers[label])

    return _make(name, values, definition, compute)


def _cadence(values: tuple[str, ...], numbers: np.ndarray, annotations: Annotations) -> Concept:
    def compute(songs: Songs) -> np.ndarray:
        where = songs.once(annotations.placed)
        rows = numbers[where.row] != NONE
        found, at = _at(where.key[rows], where.note_key)
        return np.where(found, np.append(numbers[where.row[rows]], NONE)[at], NONE)

    definition = "The kind of cadence that arrives at the note's onset; a note that is held from before has none."
    return _make("expert cadence", values, definition, compute)


def _sign(name: str, rows: np.ndarray, annotations: Annotations, definition: str) -> Concept:
    """A concept of a sign at an onset."""

    def compute(songs: Songs) -> np.ndarray:
        where = songs.once(annotations.placed)
        return _at(where.key[rows[where.row]], where.note_key)[0]

    return _make(name, (), definition, compute)


def _at(keys: np.ndarray, note_keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether one of the ascending keys is a note's own, and the index of the first that is, or the number of keys."""
    place = np.searchsorted(keys, note_keys)
    found = np.append(keys, np.int64(1) << 62)[place] == note_keys
    return found, np.where(found, place, len(keys))
