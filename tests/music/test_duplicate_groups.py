"""The table of near-duplicates: written, read, refused when damaged, and what separates a group."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_interpret.errors import InputError
from music_interpret.music.duplicate_groups import DUPLICATES, Duplicate, read_groups, separated, write_duplicates

ROWS = [
    Duplicate("a", "a", "b, as printed", 0.9021, 0.5, False),
    Duplicate("a", "b, as printed", "a", 0.9021, 0.5, False),
    Duplicate("é/1", "é/1", "é/2", 1.0, 1.0, True),
    Duplicate("é/1", "é/2", "é/1", 1.0, 1.0, True),
]
HEADER = "group,song,nearest,notes,shingles,exact"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert read_groups(tmp_path) == {}
    write_duplicates(tmp_path, ROWS)
    assert read_groups(tmp_path) == {"a": "a", "b, as printed": "a", "é/1": "é/1", "é/2": "é/1"}
    assert (tmp_path / DUPLICATES).read_text(encoding="utf-8").splitlines()[:2] == [
        HEADER,
        'a,a,"b, as printed",0.9021,0.5,no',
    ]
    write_duplicates(tmp_path, [])
    assert read_groups(tmp_path) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", f"starts with ''; expected '{HEADER}'"),
        (b"song,group\na,a\n", f"starts with 'song,group'; expected '{HEADER}'"),
        (b"group,song\na,a\na\n", "row 3, is 'a'; expected group,song"),
        (b"group,song\n,a\n", "row 2, is ',a'; expected group,song"),
        (b"group,song\na,b\nc,b\n", "has song 'b' in the groups 'a' and 'c'"),
        (b"group,song\n\xff,b\n", "is not readable as CSV"),
        (b'group,song\n"a,b\n', "is not readable as CSV"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / DUPLICATES).write_bytes(content)
    with pytest.raises(InputError) as refused:
        read_groups(tmp_path)
    assert str(tmp_path / DUPLICATES) in str(refused.value) and message in str(refused.value)


def test_a_separated_group_is_named() -> None:
    groups = {"a": "a", "b": "a", "c": "c", "d": "c"}
    names = ["d", "x", "b", "c", "a"]
    assert separated(groups, names, ["train", "test", "valid", "train", "valid"]) is None
    assert separated({}, names, ["train", "test", "valid", "test", "train"]) is None
    one = separated(groups, names, ["train", "test", "valid", "train", "test"])
    assert one is not None and one.startswith(
        "1 group of near-duplicates is in more than one split, first b (valid) and a (test): "
    )
    both = separated(groups, names, ["train", "test", "valid", "valid", "test"])
    assert both is not None and both.startswith(
        "2 groups of near-duplicates are in more than one split, first d (train) and c (valid): "
    )


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["train", "valid", "test"])), max_size=12))
def test_it_is_separated_if_a_group_has_two_splits(songs: list[tuple[int, str]]) -> None:
    names = [str(number) for number in range(len(songs))]
    groups = {name: str(group) for name, (group, _) in zip(names, songs, strict=True) if group}
    apart = any(len({split for other, split in songs if other == group}) > 1 for group in (1, 2, 3))
    assert (separated(groups, names, [split for _, split in songs]) is not None) == apart
