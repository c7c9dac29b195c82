"""The sizes of a Multitrack Music Transformer, as its authors' training writes them; needs no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from music_interpret.errors import InputError
from music_interpret.files import read_json
from music_interpret.tokens.scheme import Limits


@dataclass(frozen=True, kw_only=True)
class MMTSizes:
    """The entries of `train-args.json` that shape the model."""

    dim: int
    layers: int
    heads: int
    max_seq_len: int
    max_beat: int
    abs_pos_emb: bool
    rel_pos_emb: bool

    @classmethod
    def load(cls, path: Path) -> "MMTSizes":
        args = read_json(path)
        if not isinstance(args, dict):
            raise InputError(f"{path} holds no JSON object; expected the train-args.json of MMT")
        values: dict[str, Any] = {}
        for name, kind in cls.__annotations__.items():
            value: Any = args.get(name)
            right = "true or false" if kind is bool else "a positive integer"
            if type(value) is not kind or (kind is int and value < 1):
                raise InputError(f"{path}: {name} is {value!r}; expected {right}")
            values[name] = value
        return cls(**values)

    @property
    def limits(self) -> Limits:
        """Where the model stops reading."""
        return Limits(self.max_seq_len, self.max_beat)
