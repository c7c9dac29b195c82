import pytest

from music_interpret.features.old_names import renamed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pitch class: A#", "pitch class: B♭"),
        ("pitch: C#-1", "pitch: C♯-1"),
        ("next token: local key: D# minor and not bass: G#", "next token: local key: E♭ minor and not bass: A♭"),
        ("home key: C# major", "home key: D♭ major"),
        ("last chord: A# dominant seventh", "last chord: B♭ dominant seventh"),
        ("chord degree: b7", "chord degree: ♭7"),
        ("scale degree: #4 or bass: F", "scale degree: ♯4 or bass: F"),
        ("expert local key: Bb minor", "expert local key: B♭ minor"),
        ("expert root: ##4", "expert root: ♯♯4"),
        ("bass: B", "bass: B"),
        ("beat of the bar: 3", "beat of the bar: 3"),
    ],
)
def test_old_names_are_read_as_todays(old, new):
    assert renamed(old) == new == renamed(new)
