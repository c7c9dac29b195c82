"""Names in labels that version 0.1.0 wrote, which knew sharps only: as they are called now.

"A# major" is B♭ major, "bass: G#" A♭ in the bass, "scale degree: b3" ♭3; words of experts keep their letter.
"""

import re
from typing import Any

from music_interpret.music.pitches import MAJOR_TONICS, MINOR_TONICS, PITCH_NAMES, SHARP_NAMES

_TONICS = {" major": MAJOR_TONICS, " minor": MINOR_TONICS}
_EXPERT = re.compile(r"(expert [a-z ]+: [A-G]?)([#b]+)")
_NOTE = re.compile(r"\b([ACDFG]#)( major\b| minor\b)?(?=-?\d|\W|$)")
_DEGREE = re.compile(r"(?<=: )([#b])(?=[1-7]\b)")


def are_old(meta: dict[str, Any]) -> bool:
    """Whether the content of a labels.json names pitch classes as version 0.1.0 did."""
    concepts = meta.get("concepts", ())
    return any(concept["name"] == "pitch class" and SHARP_NAMES[10] in concept["values"] for concept in concepts)


def renamed(text: str) -> str:
    """A name, rule or column of old labels in today's words.

    Examples:
        >>> renamed("local key: A# major and not bass: G#"), renamed("pitch: A#3"), renamed("scale degree: b3")
        ('local key: B♭ major and not bass: A♭', 'pitch: B♭3', 'scale degree: ♭3')
    """
    text = _EXPERT.sub(lambda found: found[1] + _signs(found[2]), text)
    text = _NOTE.sub(_note, text)
    return _DEGREE.sub(lambda found: _signs(found[1]), text)


def _signs(text: str) -> str:
    return text.replace("#", "♯").replace("b", "♭")


def _note(found: re.Match[str]) -> str:
    mode = found[2] or ""
    return _TONICS.get(mode, PITCH_NAMES)[SHARP_NAMES.index(found[1])] + mode


def renamed_all(value: Any) -> Any:
    """Every text in lists and objects."""
    match value:
        case str():
            return renamed(value)
        case list():
            return [renamed_all(part) for part in value]
        case dict():
            return {key: renamed_all(part) for key, part in value.items()}
    return value
