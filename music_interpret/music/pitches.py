"""Names of pitches."""

PITCH_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
N_PITCHES = 128
"""MIDI note numbers."""


def pitch_name(pitch: int) -> str:
    """Name of a MIDI note number, middle C (60) being C4.

    Examples:
        >>> pitch_name(60), pitch_name(61)
        ('C4', 'C#4')
    """
    return f"{PITCH_NAMES[pitch % 12]}{pitch // 12 - 1}"
