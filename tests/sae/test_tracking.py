import sys
from pathlib import Path

import pytest

from music_interpret.errors import InputError
from music_interpret.sae.tracking import tracked


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_tracker_that_is_not_installed(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with (
        pytest.raises(InputError, match=f"--tracker {name}: {name} is not installed; expected: pip install"),
        tracked(name, "project", "run", {Path("/tmp"): {}}),
    ):
        pass


def test_no_tracker_imports_none():
    with tracked("none", "project", "run", {}):
        assert not {"wandb", "trackio"} & sys.modules.keys()
