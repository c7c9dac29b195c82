"""Saved autoencoders on the Hugging Face Hub, through the library huggingface_hub where it is installed.

An address is `hf://owner/name[@revision][/folder]`, as the library itself writes them. Only named files are fetched,
all of them data; what was fetched before is read from the library's cache, also without a network.
"""

import contextlib
import errno
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from music_interpret import files
from music_interpret.errors import InputError

_NAME = r"[A-Za-z0-9][\w.-]*"
_ADDRESS = re.compile(
    rf"hf://(?P<repo_id>{_NAME}/{_NAME})(@(?P<revision>[\w.-]+))?(/(?P<folder>{_NAME}(/{_NAME})*))?/?"
)


class Address(NamedTuple):
    """Where on the Hub an autoencoder is stored."""

    repo_id: str
    """`owner/name`."""
    revision: str | None
    """Branch, tag or commit; None is the main branch."""
    folder: str
    """Folder in the repository; empty for its root."""

    def __str__(self) -> str:
        revision, folder = self.revision and f"@{self.revision}", self.folder and f"/{self.folder}"
        return f"hf://{self.repo_id}{revision or ''}{folder}"

    @classmethod
    def of(cls, text: str) -> "Address":
        found = _ADDRESS.fullmatch(text)
        if not found:
            raise InputError(f"{text!r} is no address on the Hub; expected hf://owner/name[@revision][/folder]")
        return cls(found["repo_id"], found["revision"], found["folder"] or "")


def push(made: Path, repo_id: str, *, folder: str, revision: str | None, private: bool | None) -> str:
    """Upload the folder of a saved autoencoder, with a model card, and return its address.

    Args:
        made: the folder; `README.md` is written into it.
        repo_id: `owner/name`; made if it is not there.
        folder: where in the repository; empty for its root.
        revision: branch to commit to; None is the main branch.
        private: whether a repository that is made is private; None leaves it to the owner's settings.

    Raises:
        InputError: a name is none, huggingface_hub is not installed, or the Hub refused.
    """
    address = Address.of(str(Address(repo_id, revision, folder)))
    files.write_text(made / "README.md", model_card(files.read_json(made / "cfg.json"), address))
    with _failures_named(f"upload to {address}") as api:
        api.create_repo(repo_id, private=private, exist_ok=True)
        if revision:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        api.upload_folder(
            repo_id=repo_id,
            folder_path=made,
            path_in_repo=folder or None,
            revision=revision,
            commit_message="Sparse autoencoder",
        )
    return str(address)


def fetch(text: str, names: Sequence[str]) -> Path:
    """Download the files of these names from an address and return the local folder that holds them.

    Raises:
        InputError: it is no address, huggingface_hub is not installed, or nothing was found.
    """
    address = Address.of(text)
    patterns = [f"{address.folder}/{name}" if address.folder else name for name in names]
    with _failures_named(f"fetch {address}") as api:
        snapshot = api.snapshot_download(address.repo_id, revision=address.revision, allow_patterns=patterns)
    return Path(snapshot) / address.folder


@contextlib.contextmanager
def _failures_named(what: str) -> Iterator[Any]:
    """The Hub's interface; what goes wrong with it is reported in one line."""
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise InputError("the Hub needs huggingface_hub; install it with: pip install 'music-interpret[hub]'") from None
    try:
        yield HfApi(library_name="music-interpret")
    except Exception as error:  # the library and the one beneath it raise many kinds
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"cannot {what}: {reason}") from None


def model_card(cfg: dict[str, Any], address: Address) -> str:
    """The README.md of an autoencoder on the Hub: what it is and how to load it, in Markdown with a YAML header."""
    metadata = cfg.get("metadata") or {}
    facts = {
        "architecture": cfg["architecture"],
        "d_in": cfg["d_in"],
        "d_sae": cfg["d_sae"],
        "k": cfg.get("k"),
        "model": metadata.get("data_repr"),
        "layer": metadata.get("layer"),
        "data set": metadata.get("dataset_name"),
    }
    rows = [f"| {name} | {value} |" for name, value in facts.items() if value is not None]
    context = ""
    if metadata.get("token_baseline"):
        context = (
            "It is a context autoencoder: it encodes and reconstructs `x - baseline(tokens)`, what an activation\n"
            "holds besides the token itself. Music Interpret computes the baseline, from\n"
            "`token_baseline.safetensors`; in SAELens, subtract it first.\n\n"
        )
    place = f'snapshot_download("{address.repo_id}"'
    place += f', revision="{address.revision}")' if address.revision else ")"
    place += f' + "/{address.folder}"' if address.folder else ""
    table = "\n".join(["| | |", "| --- | --- |", *rows])
    return f"""---
library_name: saelens
tags:
- sparse-autoencoder
- interpretability
- music
- music-interpret
---

# Sparse autoencoder of a music transformer

Trained with Music Interpret; it takes raw activations of the residual stream. The files have SAELens's layout.

{table}

{context}## Load it

In Music Interpret, with `pip install 'music-interpret[hub]'`:

```python
from music_interpret import SparseAutoencoder

sae = SparseAutoencoder.load("{address}")
```

In SAELens:

```python
from huggingface_hub import snapshot_download
from sae_lens import SAE

sae = SAE.load_from_disk({place})
```
"""
