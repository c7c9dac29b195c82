"""The demo itself, on few songs: the real model, real scores, every stage."""

import json
import sys

from conftest import tree

from music_interpret import demo as stage
from music_interpret.demo import DemoConfig, demo
from music_interpret.errors import InputError


def test_demo_on_a_few_songs(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MUSIC_INTERPRET_HOME", str(tmp_path))
    demo(DemoConfig(songs=80, features=1))
    first = capsys.readouterr().out
    assert first.count("\nlatent ") == 1 and ">>> " in first and "Where everything is stored" in first
    names = (tmp_path / "data/base/m21/names.txt").read_text().split()
    assert len(names) == 80 and all(name.startswith("bach-") for name in names)
    held_out = json.loads((tmp_path / "reports/demo/sae/layer_005/held_out.json").read_text())
    assert held_out  # the base model's own held-out songs are among the first 80
    files = tree(tmp_path)
    demo(DemoConfig(songs=80, features=1))
    second = capsys.readouterr().out
    assert "ingest: nothing to do" in second and "is finished" in second
    assert (
        second.partition("best labelled")[2].partition("Done in")[0]
        == first.partition("best labelled")[2].partition("Done in")[0]
    )
    assert tree(tmp_path) == files

    # Where someone sits at a terminal it ends in the explorer, and what that lacks does not undo the demo.
    seen = []
    monkeypatch.setattr(stage, "explore", lambda config: seen.append(config.run))
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    demo(DemoConfig(songs=80, features=1))
    assert seen == [str(tmp_path / "reports/demo/sae/layer_005")] and "See and hear them" in capsys.readouterr().out
    demo(DemoConfig(songs=80, features=1, explore=False))
    assert len(seen) == 1

    def lacking(_config):
        raise InputError("the explorer needs fastapi")

    monkeypatch.setattr(stage, "explore", lacking)
    demo(DemoConfig(songs=80, features=1))
    assert "note: the explorer needs fastapi" in capsys.readouterr().out
