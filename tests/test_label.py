"""The label stage on a real model: folders, the table, own concepts, bad input, and what `features` makes of labels."""

import json

import numpy as np
import pyarrow.parquet
import pytest

from music_interpret.features.labels import SCHEMA
from music_interpret.files import sha256
from music_interpret.music.concepts.expert import COLUMNS
from music_interpret.music.duplicate_groups import DUPLICATES, Duplicate, write_duplicates

OWN = '''
from music_interpret.music.concepts.concept import concept

@concept("highest note so far", leakage="past")
def highest(songs):
    """No note of the song before it is as high."""
    import numpy as np
    return songs.pitch > np.maximum.accumulate(np.append(-1, songs.pitch[:-1]))
'''


@pytest.fixture
def run(many_songs, command):
    """A trained and indexed run on layer 3."""
    options = ("--series_name", "s", "--experiment_name", "e", "--d_sae", 96, "--epochs", 20, "--batch_size", 64)
    for stage, words in (("extract", ()), ("preprocess", ()), ("train", options)):
        assert command(stage, "sod", "ape", "--layers", 3, *words).code == 0
    assert command("index", "s/e").code == 0
    return many_songs / "reports/s/e/layer_003"


def test_labels_of_a_run(run, command, tmp_path):
    own = tmp_path / "mine.py"
    own.write_text(OWN)
    outcome = command("label", "s/e", "--concepts", own)
    assert outcome.code == 0 and "latents named" in outcome.out
    for row in ("this autoencoder", "raw neurons", "neurons less the token baseline", "PCA", "untrained autoencoder"):
        assert f"\n{row}" in outcome.out
    meta = json.loads((run / "labels/labels.json").read_text())
    assert set(meta["summaries"]) == {"sae", "neurons", "context_neurons", "pca", "untrained"}
    assert any(concept["name"] == "highest note so far" for concept in meta["concepts"])
    reliability = {concept["name"]: concept["reliability"] for concept in meta["concepts"]}
    assert reliability["chord root"]["of"] == "chord root" and reliability["leading tone"]["of"] == "local key"
    assert reliability["pitch"] is None and reliability["highest note so far"] is None
    assert reliability["downbeat"] is None or reliability["downbeat"]["songs"] >= 1
    names = json.loads((run / "labels/names.json").read_text())
    assert len(names) == meta["summaries"]["sae"]["n_live"]
    assert all(name["why"].startswith("kept" if name["name"] else "none") for name in names)
    rows = pyarrow.parquet.read_table(run / "labels/labels.parquet")
    assert rows.column_names == list(SCHEMA)
    content = (run / "labels/labels.parquet").read_bytes()
    f1, ones = rows["f1"].to_numpy(), rows["rank"].to_numpy()
    assert ((f1 >= 0) & (f1 <= 1)).all() and (np.bincount(rows["latent"].to_numpy()[ones <= 10]) <= 10).all()

    again = command("label", "s/e", "--concepts", own, "--no-controls")
    assert again.code == 0 and (run / "labels/labels.parquet").read_bytes() == content
    assert "raw neurons" not in again.out

    found = command("features", "s/e", "--concept", "pitch class", "--limit", 3)
    assert found.code == 0 and found.out.count("pitch class: ") >= 3
    assert "highest note so far" in command("features", "s/e", "--concept", "HIGHEST note").out
    key = command("features", "s/e", "--concept", "local key").out.splitlines()
    assert key[-1].startswith("local key agrees with experts on ")
    wrong = command("features", "s/e", "--concept", "leading tome")
    assert wrong.code == 2 and "leading tone" in wrong.err
    one = command("features", "s/e", "--latent", names[0]["latent"])
    assert one.code == 0 and f"latent {names[0]['latent']}: " in one.out and "MCC" in one.out


def write_tables(folder, name, notes):
    """Annotations of these notes: the numeral changes with each bar of four beats."""
    times = notes[:, 0] + notes[:, 1] / 12
    rows = [f"{time}\t{pitch}" for time, pitch in zip(times.tolist(), notes[:, 2].tolist(), strict=True)]
    (folder / f"{name}.notes.tsv").write_text("\n".join(["quarterbeats\tmidi", *rows]))
    columns = ("quarterbeats", *COLUMNS)
    labels = [{"quarterbeats": str(beat), "numeral": "IV"[beat // 4 % 2]} for beat in range(0, notes[-1, 0] + 1, 4)]
    rows = ["\t".join(row.get(column, "") for column in columns) for row in labels]
    (folder / f"{name}.harmonies.tsv").write_text("\n".join(["\t".join(columns), *rows]))


def test_annotations_are_reported_song_by_song(run, command, tmp_path):
    folder = run.parents[3] / "data/base/sod/notes"
    names = sorted(path.stem for path in folder.glob("*.npy"))
    for name in names:
        notes = np.load(folder / f"{name}.npy")
        write_tables(tmp_path, name, notes + [0, 0, 1, 0, 0] if name == names[0] else notes)
    outcome = command("label", "s/e", "--annotations", tmp_path, "--no-controls")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("annotations: "))
    assert lines[first] == f"annotations: {len(names) - 1} of {len(names)} tables fit their songs"
    assert f"{names[0]}.harmonies.tsv is left out" in lines[first + 2] and "left out" not in lines[first + 3]
    meta = json.loads((run / "labels/labels.json").read_text())
    found = {fit["song"]: fit for fit in meta["annotations"]}
    assert sorted(found) == names and [name for name in names if found[name]["left_out"]] == [names[0]]
    assert all(found[name]["agreeing"] > 0.99 for name in names[1:])
    assert "expert numeral" in [concept["name"] for concept in meta["concepts"]]
    for name in names:
        write_tables(tmp_path, name, np.load(folder / f"{name}.npy") + [0, 0, 1, 0, 0])
    assert "no annotation table fits" in command("label", "s/e", "--annotations", tmp_path).refused()


def test_lists_that_separate_near_duplicates_get_a_warning(run, command):
    folder = run.parents[3] / "data/base/sod"
    first = "bach-bwv353_0", "bach-bwv353_9"
    write_duplicates(folder, [Duplicate(first[0], name, first[0], 1.0, 1.0, True) for name in first])
    outcome = command("label", "s/e", "--no-controls")
    (line,) = (line for line in outcome.err.splitlines() if "warning" in line)
    assert outcome.code == 0 and line.startswith(
        f"warning: {folder}: 1 group of near-duplicates is in more than one split, first {first[0]} (train) and "
        f"{first[1]} (test): "
    )


def test_bad_input(run, command, tmp_path):
    assert "no labels in" in command("features", "s/e", "--concept", "pitch").refused()
    assert "none.py" in command("label", "s/e", "--concepts", tmp_path / "none.py").refused()
    (tmp_path / "broken.py").write_text("def (:")
    assert "broken.py" in command("label", "s/e", "--concepts", tmp_path / "broken.py").refused()
    (tmp_path / "wrong.py").write_text(OWN.replace("return songs.pitch >", "return songs.pitch[1:] >"))
    assert "highest note so far" in command("label", "s/e", "--concepts", tmp_path / "wrong.py").refused()
    assert command("label", "s/e", "--annotations", tmp_path / "nowhere").refused()
    assert not (run / "labels").exists() and not (run / ".labels.unfinished").exists()
    metres = run.parents[3] / "data/base/sod/metres.json"
    metres.write_text('{"song": "4/4"}')
    assert "metres.json" in command("label", "s/e").refused()
    metres.unlink()
    (metres.parent / DUPLICATES).write_text("song\n")
    assert DUPLICATES in command("label", "s/e").refused()
    (metres.parent / DUPLICATES).unlink()
    (run / "features/index.json").unlink()
    assert "music-interpret index" in command("label", "s/e").refused()


def test_labels_of_another_autoencoder_are_refused(run, command):
    assert command("label", "s/e", "--no-controls").code == 0
    with open(run / "sae/sae_weights.safetensors", "ab") as file:
        file.write(b" ")
    meta = json.loads((run / "features/index.json").read_text())
    meta["sae_sha256"] = sha256(run / "sae/sae_weights.safetensors")
    (run / "features/index.json").write_text(json.dumps(meta))
    assert "another autoencoder" in command("features", "s/e").refused()
