"""Names of notes and keys as people type them: one text for all of them, so that a search finds them all.

"Bb", "B flat", "b-flat", "B♭", "bes", "A#" and "a sharp" are one key of the piano, and so one text, as are "Eb minor"
and "D# minor"; so are "♭3" and "b3", "♯4" and "#4". `static/views/notenames.js` does the same in the page, and
tests hold the two together.
"""

import re

from music_interpret.music.pitches import PITCH_NAMES

_PITCH = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_NOTE = re.compile(r"(?<![a-z♭♯])([a-g])(?:[ -]?(sharp|flat)(?![a-z])|(♭|♯|#)(?![♭♯#])|(b|is|es)(?![a-zb♭♯#]))")
_DEGREE = re.compile(r"(?<![a-z♭♯])([♭♯])(?=[1-7])")
_UP = ("sharp", "♯", "#", "is")


def searchable(text: str) -> str:
    """A text in small letters, in which each note has one name.

    Examples:
        >>> [searchable(text) for text in ("Bb major", "A sharp major", "bass: B♭", "scale degree: ♭3")]
        ['b♭ major', 'b♭ major', 'bass: b♭', 'scale degree: b3']
    """
    return _DEGREE.sub(lambda found: "b" if found[1] == "♭" else "#", _NOTE.sub(_note, text.lower()))


def _note(found: re.Match[str]) -> str:
    up = (found[2] or found[3] or found[4]) in _UP
    name = PITCH_NAMES[(_PITCH[found[1]] + (1 if up else -1)) % 12].lower()
    return name if len(name) > 1 else found[1] + ("♯" if up else "♭")  # B♯ is C, but in another octave
