import json
from pathlib import Path

import pytest

from music_interpret.music.name_search import searchable

CASES = json.loads((Path(__file__).parents[1] / "fixtures" / "name_search.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_a_note_has_one_name(text, expected):
    assert searchable(text) == expected
    assert searchable(expected) == expected
