"""A run's labels as files: the tables that `labels.py` reads."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from music_interpret import files
from music_interpret.features import confusion
from music_interpret.features.labelling import Labelled, Name
from music_interpret.features.labels import FOLDER, FORMAT, SCHEMA, SIGNIFICANT
from music_interpret.features.set_level import identity_f1
from music_interpret.features.truth import Columns


def label_rows(labelled: Labelled) -> dict[str, np.ndarray]:
    """The columns of labels.parquet."""
    rows, scored, columns = labelled.rows, labelled.scored, labelled.columns
    pair = (rows.latent, rows.column)
    positives = scored.positives[rows.column]
    scores = confusion.scores(scored.hits[pair], scored.predicted[pair], positives, scored.n)
    identity = identity_f1(scored, columns)[rows.latent]
    base_rate = positives / max(scored.n, 1)
    concepts = [columns.concepts[columns.concept[column]] for column in range(len(columns))]
    values = [
        concept.values[value] if concept.values else ""
        for concept, value in zip(concepts, columns.value.tolist(), strict=True)
    ]

    def words(of_columns: Sequence[str]) -> np.ndarray:
        return np.array(of_columns, object)[rows.column]

    return {
        "latent": rows.latent.astype(np.int32),
        "rank": rows.rank,
        "latent_rank": rows.column_rank,
        "name": words([columns.name(column) for column in range(len(columns))]),
        "concept": words([concept.name for concept in concepts]),
        "value": words(values),
        "lag": columns.lag[rows.column].astype(np.int8),
        "group": words([concept.group for concept in concepts]),
        "leakage": words([concept.leakage for concept in concepts]),
        "threshold": scored.threshold(*pair),
        "fit_mcc": scored.fit_mcc[pair],
        "precision": scores.precision,
        "recall": scores.recall,
        "f1": scores.f1,
        "f1_low": labelled.row_intervals.f1[:, 0],
        "f1_high": labelled.row_intervals.f1[:, 1],
        "mcc": scores.mcc,
        "mcc_low": labelled.row_intervals.mcc[:, 0],
        "mcc_high": labelled.row_intervals.mcc[:, 1],
        "balanced_accuracy": scores.balanced_accuracy,
        "auroc": scored.auroc[pair],
        "average_precision": scored.average_precision[pair],
        "base_rate": base_rate,
        "always_on_f1": confusion.always_on_f1(base_rate),
        "n_predicted": scored.predicted[pair],
        "p": scored.p[pair],
        "q": scored.q[pair],
        "significant": scored.q[pair] <= SIGNIFICANT,
        "identity_f1": identity,
        "gain": scores.f1 - identity,
    }


def write_labels(run: Path, labelled: Labelled, meta: Mapping[str, Any]) -> Path:
    """Write the folder, which appears whole or not at all, and return it."""
    import pyarrow
    import pyarrow.parquet

    folder = run / FOLDER
    with files.atomic_folder(folder) as beside:
        rows = {key: _floats(value) for key, value in label_rows(labelled).items()}
        assert list(rows) == list(SCHEMA)
        with files.atomic_write(beside / "labels.parquet") as file:
            pyarrow.parquet.write_table(pyarrow.table(rows), file, compression="zstd")
        names = [_named(name, labelled.columns) for name in labelled.names]
        files.write_json(beside / "names.json", names)
        files.write_json(beside / "labels.json", {"format": FORMAT} | dict(meta))
    return folder


def _floats(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32) if values.dtype == np.float64 else values


def _named(name: Name, columns: Columns) -> dict[str, Any]:
    """A name as an object, its columns as words."""
    return name._asdict() | {"columns": [columns.name(column) for column in name.columns]}
