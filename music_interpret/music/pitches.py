"""Names of pitch classes, pitches and keys where nothing says how they are spelled.

A black key has the name that is the more frequent one for it in scores; a key has the signature with fewer accidentals,
and where both have six, the name that is the more frequent. Counted in 1,936 scores (the corpora of
`benchmarks/spelling.py`, 2.8 million notes), in per cent of all notes: C♯ 4.1 and D♭ 1.4, E♭ 4.5 and D♯ 1.5, F♯ 5.5
and G♭ 0.7, A♭ 2.8 and G♯ 2.6, B♭ 6.4 and A♯ 0.7; in per cent of the beats by their keys: F♯ major 0.44 and G♭ major
0.40, E♭ minor 0.71 and D♯ minor 0.09.
"""

PITCH_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
SHARP_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
"""As the authors of MMT call pitch classes, and as names in labels of version 0.1.0 do."""
MAJOR_TONICS = ("C", "D♭", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
MINOR_TONICS = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "G♯", "A", "B♭", "B")
N_PITCHES = 128
"""MIDI note numbers."""


def pitch_name(pitch: int) -> str:
    """Name of a MIDI note number, middle C (60) being C4.

    Examples:
        >>> pitch_name(60), pitch_name(70)
        ('C4', 'B♭4')
    """
    return f"{PITCH_NAMES[pitch % 12]}{pitch // 12 - 1}"
