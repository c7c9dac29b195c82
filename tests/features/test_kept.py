"""What is computed once is kept, and made again when it is damaged or was made from something else."""

import numpy as np
import pytest

from music_interpret.features.kept import kept

ARRAYS = {"a": np.arange(5), "b": np.ones((2, 3), np.float32)}
MADE_FROM = {"sae_sha256": "x"}


def unwanted():
    pytest.fail("it was kept")


def test_it_is_kept(tmp_path):
    for found in (kept(tmp_path, "x", MADE_FROM, lambda: ARRAYS), kept(tmp_path, "x", MADE_FROM, unwanted)):
        assert list(found) == ["a", "b"]
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_what_is_damaged_is_made_again(tmp_path, damage):
    kept(tmp_path, "x", MADE_FROM, lambda: ARRAYS)
    path = tmp_path / "atlas" / "x.safetensors"
    before = path.read_bytes()
    path.write_bytes(before[:-5] if damage is None else damage)
    kept(tmp_path, "x", MADE_FROM, lambda: ARRAYS)
    assert path.read_bytes() == before


def test_what_was_made_from_something_else_is_made_again(tmp_path):
    kept(tmp_path, "x", MADE_FROM, lambda: ARRAYS)
    other = {"a": np.zeros(1)}
    assert list(kept(tmp_path, "x", {"sae_sha256": "y"}, lambda: other)) == ["a"]
    with pytest.raises(ZeroDivisionError):
        kept(tmp_path, "x", MADE_FROM, lambda: 1 // 0)
