"""Near-duplicates: songs of a data set that are largely the same notes.

Two songs are near-duplicates if the same notes, in any key, from any start, on any instruments, at any tempo, make up
`LEAST_NOTES` of the smaller one. Candidates are pairs whose sketches (`shingles.py`) have two hashes or more in common;
each is then compared note by note. What is near a near-duplicate is in its group.

Memory is bounded: hashes and pairs are in a temporary file and sorted part by part, and songs are read again when they
are compared. Songs are gone through by name, so the result does not depend on their order.
"""

import tempfile
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from music_interpret.music.duplicate_groups import Duplicate
from music_interpret.music.notes import read_notes
from music_interpret.music.shingles import Events, events_of, mixed, overlap

LEAST_NOTES = 0.6
"""Of two near-duplicates, the smaller one has this fraction of its notes in common with the other, or more."""
RARE = 16
"""A hash that more songs have is a common figure, such as an oom-pah on two chords, or of a piece with many copies."""
LEAST_RARE, LEAST_COMMON = 2, 16
"""Two songs are compared if their sketches share so many rare hashes, or so many of whatever kind."""
_BLOCK = 4096
_LOWER = np.uint64(0xFFFFFFFF)


def find_duplicates(folder: Path, names: Sequence[str], resolution: int, memory_bytes: int) -> list[Duplicate]:
    """The songs of a data set that have near-duplicates in it, by group and name.

    Args:
        folder: of the data set, with `notes/`; it also takes the temporary files, some 600 bytes per song.
        names: of its songs.
        resolution: time steps per beat.
        memory_bytes: about what the search may take, besides some 30 bytes per song and what it gives.

    Raises:
        InputError: a song's notes are missing or damaged.
    """
    names = sorted(names)
    songs = _Songs(folder / "notes", names, resolution, memory_bytes // 4)
    with _Values(folder, memory_bytes) as hashes, _Values(folder, memory_bytes) as pairs:
        copies = _copies(_sketch(songs, hashes))
        _pair(hashes, pairs, copies["other"])
        edges = np.concatenate([copies, *_compared(songs, pairs)])
    return _rows(names, edges)


_EDGE = np.dtype([("one", "i4"), ("other", "i4"), ("notes", "f4"), ("shingles", "f4"), ("exact", "?")])


class _Songs:
    """Events of songs by number; those used last are kept."""

    def __init__(self, notes_folder: Path, names: list[str], resolution: int, memory_bytes: int) -> None:
        self.notes_folder, self.names, self.resolution = notes_folder, names, resolution
        self.free = memory_bytes
        self.kept: OrderedDict[int, Events] = OrderedDict()

    def __getitem__(self, number: int) -> Events:
        if number in self.kept:
            self.kept.move_to_end(number)
            return self.kept[number]
        events = events_of(
            read_notes(self.notes_folder / f"{self.names[number]}.npy", self.resolution), self.resolution
        )
        self.kept[number] = events
        self.free -= events.n_bytes
        while self.free < 0 and len(self.kept) > 1:
            self.free += self.kept.popitem(last=False)[1].n_bytes
        return events


class _Values:
    """uint64 values in a temporary file, which come back sorted, in parts that fit into memory."""

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        # Of a part there are a dozen arrays at once, here and where it is used, and the songs take a quarter.
        self.folder, self.most = folder, max(memory_bytes // (8 * 16), 1024)

    def __enter__(self) -> "_Values":
        self.file = tempfile.TemporaryFile(dir=self.folder)
        self.largest = 0
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def add(self, values: np.ndarray) -> None:
        if len(values):
            self.largest = max(self.largest, int(values.max()))
            self.file.write(np.ascontiguousarray(values, np.uint64).data)

    def _blocks(self) -> Iterator[np.ndarray]:
        self.file.seek(0)
        while block := self.file.read(8 * self.most):
            yield np.frombuffer(block, np.uint64)

    def parts(self) -> Iterator[np.ndarray]:
        """Sorted values, part after part. Values that agree in their upper 32 bits are in the same part."""
        shift = np.uint64(max(self.largest.bit_length() - 16, 32))
        counts = np.zeros((self.largest >> int(shift)) + 1, np.int64)
        for block in self._blocks():
            counts += np.bincount((block >> shift).astype(np.int64), minlength=len(counts))
        part_of, part, size = np.zeros(len(counts), np.int64), 0, 0
        for kind, count in enumerate(counts.tolist()):
            if size and size + count > self.most:
                part, size = part + 1, 0
            part_of[kind], size = part, size + count
        for number in range(part + 1):
            chosen = [block[part_of[(block >> shift).astype(np.int64)] == number] for block in self._blocks()]
            yield np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.uint64)


def _sketch(songs: _Songs, hashes: _Values) -> np.ndarray:
    """Add the sketches of all songs, and give the hash of each song as a whole, uint64 (n_songs,)."""
    identities = np.zeros(len(songs.names), np.uint64)
    for number in tqdm(range(len(identities)), "duplicates", unit="song", leave=False, dynamic_ncols=True):
        events = songs[number]
        identities[number] = events.identity()
        # The least hashes are crowded where hashes are small; mixed again, their upper halves are not.
        hashes.add(mixed(events.sketch()) & ~_LOWER | np.uint64(number))
    return identities


def _copies(identities: np.ndarray) -> np.ndarray:
    """An edge from each song that is the same as one before it to the first such song."""
    _, first, which = np.unique(identities, return_index=True, return_inverse=True)
    copies = np.flatnonzero(first[which] != np.arange(len(identities)))
    edges = np.ones(len(copies), _EDGE)
    edges["one"], edges["other"] = first[which[copies]], copies
    return edges


def _pair(hashes: _Values, pairs: _Values, left_out: np.ndarray) -> None:
    """Add the pairs of songs that have a hash in common, but for songs that are left out: the first song's number in
    the upper half, the second's above the lowest bit, which says whether the hash is common. Of a common hash, songs
    are paired with the `RARE` next ones.
    """
    for part in hashes.parts():
        part = np.unique(part[~np.isin((part & _LOWER).astype(np.int32), left_out)])
        shingle, song = part & ~_LOWER, part & _LOWER
        _, size = np.unique(shingle, return_counts=True)
        common = np.repeat(size > RARE, size).astype(np.uint64)
        for step in range(1, RARE + 1):
            both = np.flatnonzero(shingle[step:] == shingle[:-step])
            if not len(both):
                break
            pairs.add(song[both] << np.uint64(32) | song[both + step] << np.uint64(1) | common[both])


def _candidates(part: np.ndarray) -> np.ndarray:
    """The pairs that have enough hashes in common, of those that `_pair` added, with the lowest bit 0."""
    pairs, first, count = np.unique(part & ~np.uint64(1), return_index=True, return_counts=True)
    common = np.add.reduceat(part & np.uint64(1), first) if len(part) else count
    return pairs[(count - common.astype(np.int64) >= LEAST_RARE) | (count >= LEAST_COMMON)]


def _compared(songs: _Songs, pairs: _Values) -> Iterator[np.ndarray]:
    """Compare the songs of all candidates, and give those that are near-duplicates, as edges."""
    with tqdm(desc="compare", unit="pair", leave=False, dynamic_ncols=True) as bar:
        for part in pairs.parts():
            candidates = _candidates(part)
            for start in range(0, len(candidates), _BLOCK):
                found = []
                for pair in candidates[start : start + _BLOCK].tolist():
                    one, other = pair >> 32, (pair & 0xFFFFFFFF) >> 1
                    shared = overlap(songs[one], songs[other])
                    if shared.notes >= LEAST_NOTES:
                        found.append((one, other, *shared, False))
                    bar.update()
                yield np.array(found, _EDGE)


# Groups


def _rows(names: list[str], edges: np.ndarray) -> list[Duplicate]:
    """A row for each song with an edge: its group, and the edge with most notes in common."""
    there = coo_array((np.ones(len(edges), bool), (edges["one"], edges["other"])), shape=(len(names), len(names)))
    group = connected_components(there, directed=False)[1]
    first = np.full(len(names), len(names))
    np.minimum.at(first, group, np.arange(len(names)))
    back = edges.copy()
    back["one"], back["other"] = edges["other"], edges["one"]
    both = np.concatenate([edges, back])
    both = both[np.lexsort([both["other"], ~both["exact"], -both["shingles"], -both["notes"], both["one"]])]
    both = both[np.unique(both["one"], return_index=True)[1]]
    both = both[np.lexsort([both["one"], first[group[both["one"]]]])]
    groups = first[group[both["one"]]].tolist()
    return [
        Duplicate(names[head], names[one], names[other], round(notes, 4), round(shingles, 4), exact)
        for head, (one, other, notes, shingles, exact) in zip(groups, both.tolist(), strict=True)
    ]
