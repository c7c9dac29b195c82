"""What a folder was made from: noted when it is written, checked when it is read, with one wording.

Every folder that a stage writes holds a small JSON file with the hashes of what it was made from. A stage that reads
the folder knows what it should have been made from, and refuses anything else with what differs and what to run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from music_interpret import files
from music_interpret.errors import InputError

MEANINGS = {
    "model_sha256": "another model",
    "codes_sha256": "other songs",
    "songs_sha256": "songs with other names or splits",
    "sae_sha256": "another autoencoder",
    "layer": "another layer",
    "site": "another site",
    "dtype": "activations of another dtype",
    "precision": "activations of another precision",
}
"""What it means that the entry of a name differs."""


def check(noted: Mapping[str, Any], wanted: Mapping[str, Any], what: object, hint: str) -> None:
    """Refuse what was made from something else than it should have been.

    Args:
        noted: what it says it was made from.
        wanted: what it must have been made from; every entry is compared.
        what: the file or folder, for the message.
        hint: what to do about it, such as `run again: music-interpret index demo/sae`.

    Raises:
        InputError: an entry differs.
    """
    for key, value in wanted.items():
        if noted.get(key) != value:
            meaning = MEANINGS.get(key, "something else")
            raise InputError(f"{what} was made from {meaning} ({key} differs); {hint}")


def read(
    path: Path, what: str, command: str, *, made_from: Mapping[str, Any], format_number: int | None = None
) -> dict[str, Any]:
    """The JSON that says what a folder was made from, if that is as expected.

    Args:
        path: the file.
        what: what the folder holds, in words.
        command: what makes it.
        made_from: as in `check`.
        format_number: the format that this version reads; None for a file that has no such number.

    Raises:
        InputError: it is missing, damaged, of another format, or was made from something else.
    """
    if not path.is_file():
        raise InputError(f"no {what} in {path.parent}; run: {command}")
    again = f"run again: {command}"
    noted = files.read_json(path)
    if not isinstance(noted, dict):
        raise InputError(f"{path} holds no JSON object; {again}")
    if format_number is not None and noted.get("format") != format_number:
        raise InputError(f"{path} has format {noted.get('format')}; expected format {format_number}; {again}")
    check(noted, made_from, path, again)
    return noted
