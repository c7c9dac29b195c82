"""Own labels survive anything but their own deletion."""

import json
import sqlite3
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_interpret.errors import InputError
from music_interpret.explorer.own_labels import OwnLabel, OwnLabels

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=200)
labels = st.lists(st.builds(OwnLabel, st.integers(0, 95), text, text, st.booleans()), unique_by=lambda own: own.latent)


@given(labels)
def test_what_leaves_comes_back(tmp_path_factory, given_labels):
    one, other = (OwnLabels(tmp_path_factory.mktemp("run"), 96) for _ in range(2))
    one.put(given_labels)
    kept = sorted(own for own in given_labels if own.label or own.note or own.star)
    assert one.all() == kept
    assert other.from_jsonl(one.to_jsonl()) == len(kept)
    assert other.all() == kept and other.to_jsonl() == one.to_jsonl()
    for own in given_labels:
        assert one.get(own.latent) == (own if own in kept else OwnLabel(own.latent))


def test_a_run_without_labels_gets_no_file(tmp_path):
    labels = OwnLabels(tmp_path, 96)
    assert labels.all() == [] and labels.get(3) == OwnLabel(3) and labels.to_jsonl() == ""
    assert not labels.path.exists()


def test_all_lines_or_none(tmp_path):
    labels = OwnLabels(tmp_path, 96)
    labels.put([OwnLabel(1, "first")])
    for line in (
        "{",
        "3",
        '{"latent": 96}',
        '{"latent": true}',
        '{"latent": 2, "label": null}',
        '{"label": "x"}',
        "[" * 9999,
    ):
        with pytest.raises(InputError, match="line 2"):
            labels.from_jsonl(json.dumps({"latent": 2, "label": "second"}) + "\n" + line)
    assert labels.all() == [OwnLabel(1, "first")]


def test_many_threads_at_once(tmp_path):
    labels = OwnLabels(tmp_path, 96)
    threads = [
        threading.Thread(target=lambda first=first: [labels.put([OwnLabel(i, f"{i}")]) for i in range(first, 96, 8)])
        for first in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert labels.all() == [OwnLabel(i, f"{i}") for i in range(96)]


def test_a_damaged_file_is_told_and_kept(tmp_path):
    labels = OwnLabels(tmp_path, 96)
    labels.path.write_bytes(b"no database at all" * 100)
    for work in (labels.all, lambda: labels.get(3), lambda: labels.put([OwnLabel(3, "x")])):
        with pytest.raises(InputError, match="cannot be used"):
            work()
    assert labels.path.read_bytes() == b"no database at all" * 100


def test_an_interrupted_import_changes_nothing(tmp_path):
    labels = OwnLabels(tmp_path, 96)
    labels.put([OwnLabel(1, "first")])

    def broken():
        yield OwnLabel(1, "changed")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        labels.put(broken())
    assert labels.all() == [OwnLabel(1, "first")]
    with sqlite3.connect(labels.path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
