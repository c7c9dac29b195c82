"""Songs with all concepts computed, for tests of what is scored against them: short Bach chorales as the model reads
them.
"""

import functools

import numpy as np

from music_interpret.features.firings import Firings
from music_interpret.features.index import Chunk
from music_interpret.features.labelling import Corpus
from music_interpret.features.truth import scored_columns
from music_interpret.music.score_sources import find_scores
from music_interpret.music.scores import Work, read_works
from music_interpret.tokens.concept_table import concept_table
from music_interpret.tokens.concepts import library
from music_interpret.tokens.mmt import MMTScheme
from music_interpret.tokens.mmt_tables import mmt_encoding
from music_interpret.tokens.scheme import Limits
from music_interpret.tokens.sequences import Sequences

ENCODING = MMTScheme.from_json(mmt_encoding(), "mmt_encoding()")


@functools.cache
def chorales(count: int) -> tuple[Work, ...]:
    """The first short Bach scores inside music21."""
    files = [score for score in find_scores("music21:bach")[0] if score.path.stat().st_size < 9000][:count]
    assert len(files) == count
    return tuple(read_works(score.path, 12, 52)[0] for score in files)


def corpus_of(count: int) -> Corpus:
    """That many chorales with every built-in concept, three in five for training, one in five for valid and test."""
    works = chorales(count)
    codes = [ENCODING.encode(work.notes, Limits(512, 128)) for work in works]
    first = np.cumsum([0, *map(len, codes)])
    names = [str(i) for i in range(count)]
    metres = {name: work.metres for name, work in zip(names, works, strict=True) if work.metres}
    songs = Sequences(np.concatenate(codes), first, names, np.ones(count, bool), ENCODING, metres)
    table = concept_table(library(ENCODING), songs)
    splits = np.array(["train", "valid", "train", "test", "train"])[np.arange(count) % 5]
    spans = np.stack([first[:-1], first[1:]], axis=1)
    by_split = {split: spans[splits == split] for split in ("train", "valid", "test")}
    columns = scored_columns(table, np.concatenate([by_split["train"], by_split["valid"]]), first)
    return Corpus(table, columns, by_split, first)


def firings_of_values(values: np.ndarray) -> Firings:
    """What is above 0 in values (n_tokens, n_latents)."""
    return Firings.of_chunks([Chunk.of(0, values)], values.shape[1])
