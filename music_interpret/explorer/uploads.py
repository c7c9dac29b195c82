"""People's own files: read, run through the model and the autoencoder, and kept in memory as pieces to look at."""

import tempfile
import threading
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from music_interpret.errors import InputError
from music_interpret.explorer.firings_file import TokenFirings
from music_interpret.explorer.notation import Notation
from music_interpret.explorer.opened import Explored
from music_interpret.explorer.pieces import one_piece
from music_interpret.explorer.song import Playable
from music_interpret.music.reader_process import Answer, Limits
from music_interpret.music.score_readers import ScoreReader
from music_interpret.music.scores import FORMATS, Work

LARGEST_BYTES = 4 * 2**20
LIMITS = Limits(seconds=20.0, address_bytes=4 * 2**30, unpacked_bytes=32 * 2**20)
"""Of reading a file."""
KEPT = 32
"""Uploaded pieces that are kept; the oldest goes first."""
LONGEST_NAME = 120


class Uploaded(NamedTuple):
    """A piece that someone brought."""

    played: Playable
    n_notes: int
    """Notes in the file, of which the model may read fewer."""
    notice: str | None
    """What was left out, in a sentence."""


class Uploads:
    """The uploaded pieces of one server."""

    def __init__(self, explored: Explored, reader: ScoreReader) -> None:
        self.explored, self.reader = explored, reader
        self._pieces: OrderedDict[str, Uploaded] = OrderedDict()
        self._lock, self._loading = threading.Lock(), threading.Lock()
        self._count = 0

    def add(self, name: str, content: bytes) -> Uploaded:
        """Read a file's bytes and run them through the model.

        Args:
            name: the file's own name, whose suffix gives its format.
            content: its bytes.

        Raises:
            InputError: a sentence about what is wrong with the file.
        """
        name = Path(name.replace("\\", "/").replace("\x00", "")).name[-LONGEST_NAME:]
        suffix = Path(name).suffix.lower()
        if suffix not in FORMATS:
            raise InputError(f"{suffix or 'a file without a suffix'} is not read; expected one of {', '.join(FORMATS)}")
        if not content:
            raise InputError("the file is empty")
        if len(content) > LARGEST_BYTES:
            raise InputError(f"the file has {len(content):,} bytes; expected up to {LARGEST_BYTES:,}")
        with tempfile.TemporaryDirectory(prefix="music-interpret-") as folder:
            path = Path(folder) / f"piece{suffix}"
            path.write_bytes(content)
            answer = self.reader.read(path, self.explored.scheme.resolution)
        if answer.broken:
            raise InputError(_sentence(answer, self.reader.limits))
        if not answer.works and answer.lost:
            raise InputError(f"this file cannot be read as music: {answer.lost[0].reason}")
        if not answer.works:
            raise InputError("this file holds no piece")
        work = next((work for work in answer.works if len(work.notes)), None)
        if work is None:
            raise InputError("no note in this file is for an instrument that the model knows (drums are left out)")
        return self._keep(name, work, len(answer.works) + len(answer.lost))

    def _keep(self, name: str, work: Work, n_works: int) -> Uploaded:
        notes, metres = work.notes, {name: work.metres} if work.metres else {}
        self._load()
        tokens = self.explored.run.model.encode(notes)
        firings = self._firings(tokens)
        read = len(self.explored.scheme.decode(tokens))
        with self._lock:
            self._count += 1
            key = f"u{self._count}"
        notation = Notation(notes, work.spellings, work.numbers)
        piece, sequences = one_piece(key, name, tokens, self.explored.scheme, metres, read == len(notes), notation)
        notices = []
        if n_works > 1:
            notices.append(f"the file holds {n_works} pieces; this is the first")
        if work.left_out:
            notices.append("left out: " + ", ".join(f"{kind} ({n:,})" for kind, n in work.left_out.items()))
        if work.miscounted:
            notices.append("of the file's {:,} notes {:,} were read".format(*work.miscounted))
        if read < len(notes):
            notices.append(f"the model reads the first {read:,} of {len(notes):,} notes")
        uploaded = Uploaded(Playable(piece, firings, sequences), len(notes), "; ".join(notices) or None)
        with self._lock:
            self._pieces[key] = uploaded
            while len(self._pieces) > KEPT:
                self._pieces.popitem(last=False)
        return uploaded

    def _firings(self, tokens: np.ndarray) -> TokenFirings:
        """All latents on all tokens of a piece."""
        import torch

        run, read = self.explored.run, torch.from_numpy(tokens.astype(np.int64))
        with torch.inference_mode():
            x = run.model.recorded(read[None], [run.site])[run.site][0]
            z = run.sae.encode(x.float(), read).numpy()
        rows, latents = np.nonzero(z > 0)
        return TokenFirings.of(rows, latents, z[rows, latents])

    def _load(self) -> None:
        """Load the autoencoder and the model, once."""
        with self._loading:
            _ = self.explored.run.sae, self.explored.run.model

    def warm(self) -> None:
        """Load what the first file would have to wait for."""
        self.reader.warm()
        self._load()

    def get(self, key: str) -> Uploaded:
        """An uploaded piece; InputError if it is not there."""
        with self._lock:
            if key not in self._pieces:
                raise InputError("this piece is not here any more: uploads are forgotten when the server stops")
            return self._pieces[key]

    def all(self) -> list[Uploaded]:
        """The pieces, the latest first."""
        with self._lock:
            return list(self._pieces.values())[::-1]


def _sentence(answer: Answer, limits: Limits) -> str:
    """Why a file cannot be read, for people."""
    match answer.fault:
        case "slow":
            return f"this file takes longer than {limits.seconds:g} seconds to read; try a shorter one"
        case "memory":
            return "this file takes too much memory to read; try a shorter one"
        case "crashed":
            return "this file cannot be read: the program that reads scores gave up on it"
        case "damaged":  # only the error's name: what a library says may quote the file or name our folders
            return f"this file cannot be read as music: it is damaged ({(answer.broken or '').partition(':')[0]})"
    return f"this file cannot be read as music: {answer.broken}"
