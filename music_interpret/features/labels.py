"""A run's labels on disk, to be read; `label_tables.py` writes them.

    <run>/labels/
        labels.json       what made them, and the set-level numbers of the run and its controls
        names.json        one object for each live latent: its name, the rule, scores and what decided
        labels.parquet    one row for each reported pair of latent and concept value

The fields of names.json are those of `labelling.Name`; the columns of labels.parquet are those of `SCHEMA` below.
Scores are of test songs; reading a table needs pyarrow, the names nothing but the standard library.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from music_interpret import files, provenance
from music_interpret.errors import InputError
from music_interpret.features.old_names import are_old, renamed, renamed_all

FOLDER, FORMAT = "labels", 1
SIGNIFICANT = 0.05
"""A pair is significant with a q value of at most this."""
SCHEMA = {
    "latent": "number of the latent",
    "rank": "rank of the concept value among the latent's, from 1, by fit_mcc",
    "latent_rank": "rank of the latent among the concept value's, from 1, by fit_mcc",
    "name": "the concept value in words, after 'next token: ' at lag 1",
    "concept": "name of the concept",
    "value": "name of its value, empty for a concept that a note has or has not",
    "lag": "0: the token itself has it; 1: the next one has",
    "group": "group of the concept",
    "leakage": "given, past or future",
    "threshold": "the latent says so where its value is this or more, and above 0",
    "fit_mcc": "MCC on train and valid songs",
    "precision": "TP / (TP + FP)",
    "recall": "TP / (TP + FN)",
    "f1": "harmonic mean of the two",
    "f1_low": "lower end of its 95 % interval over songs",
    "f1_high": "upper end",
    "mcc": "Matthews' correlation coefficient",
    "mcc_low": "lower end of its 95 % interval over songs",
    "mcc_high": "upper end",
    "balanced_accuracy": "mean of the recalls of tokens with and without the value",
    "auroc": "area under the ROC curve over all tokens, ties counted as half",
    "average_precision": "average precision over all tokens, ties taken together",
    "base_rate": "fraction of tokens that have the value",
    "always_on_f1": "F1 of saying so of every token",
    "n_predicted": "tokens on which the latent says so",
    "p": "chance of so many hits when the truth is circularly shifted within songs",
    "q": "false discovery rate over all pairs",
    "significant": f"whether q is at most {SIGNIFICANT}",
    "identity_f1": "best F1 of any property of the token itself for this latent",
    "gain": "f1 − identity_f1",
}


class Labels(NamedTuple):
    """A run's labels, read again."""

    folder: Path
    """Where they are stored."""
    meta: dict[str, Any]
    """The content of labels.json."""
    names: list[dict[str, Any]]
    """The content of names.json."""

    def reliability(self) -> dict[str, dict[str, Any]]:
        """How far each concept agreed with experts when the run was labelled, of those of which that is noted; see
        `music/concepts/reliability.py`.
        """
        concepts = self.meta.get("concepts", ())
        return {concept["name"]: concept["reliability"] for concept in concepts if concept.get("reliability")}


def read_labels(run: Path, sae_sha256: str) -> Labels:
    """Open a run's labels; InputError if they are missing, damaged or of another autoencoder.

    Args:
        run: the run's folder.
        sae_sha256: identity of the run's autoencoder.
    """
    folder, command = run / FOLDER, f"music-interpret label {run}"
    made_from = {"sae_sha256": sae_sha256}
    meta = provenance.read(folder / "labels.json", "labels", command, made_from=made_from, format_number=FORMAT)
    names = files.read_json(folder / "names.json")
    if are_old(meta):
        meta, names = meta | {"concepts": [_renamed(concept) for concept in meta["concepts"]]}, renamed_all(names)
    return Labels(folder, meta, names)


def _renamed(concept: dict[str, Any]) -> dict[str, Any]:
    """A concept of labels.json with today's words for its values, which are read as they stand after its name."""
    name = f"{concept['name']}: "
    values = [renamed(name + value).removeprefix(name) for value in concept["values"]]
    return concept | {"old_values": concept["values"], "values": values}


def read_rows(labels: Labels) -> dict[str, np.ndarray]:
    """The columns of labels.parquet."""
    rows = _read_rows(labels)
    if any("old_values" in concept for concept in labels.meta.get("concepts", ())):
        known = {name: renamed(name) for name in set(rows["name"].tolist())}
        rows["name"] = np.array([known[name] for name in rows["name"].tolist()], object)
        prefixed = zip(rows["concept"].tolist(), rows["value"].tolist(), strict=True)
        words = {pair: renamed(": ".join(pair)).removeprefix(f"{pair[0]}: ") for pair in set(prefixed)}
        pairs = zip(rows["concept"].tolist(), rows["value"].tolist(), strict=True)
        rows["value"] = np.array([words[pair] for pair in pairs], object)
    return rows


def _read_rows(labels: Labels) -> dict[str, np.ndarray]:
    import pyarrow
    import pyarrow.parquet

    path = labels.folder / "labels.parquet"
    # Arrow's own allocator keeps what it used, tens of megabytes, which a server would carry along.
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
    try:
        table = pyarrow.parquet.read_table(path, use_threads=False)
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise InputError(f"{path} is damaged ({' '.join(str(error).split())}); label the run again") from None
    return {name: _column(table[name]) for name in table.column_names}


def _column(column: Any) -> np.ndarray:
    """A column as an array, in which equal strings are one object."""
    import pyarrow

    if not pyarrow.types.is_string(column.type):
        return column.to_numpy()
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.dictionary.to_numpy(zero_copy_only=False)[encoded.indices.to_numpy()]
