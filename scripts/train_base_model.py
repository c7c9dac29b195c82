"""Train a Multitrack Music Transformer on ingested notes, and leave it in the authors' own layout.

    python3 scripts/train_base_model.py <dataset_name> <data_repr>

    models/<dataset_name>/<data_repr>/
        train-args.json, checkpoints/best_model.pt     what every stage reads: the weights with the best validation loss
        training/    arguments.json, metrics.jsonl     what it is trained with, and the losses at each validation
                     state.safetensors                 to go on from with --resume; gone when training is finished

The recipe is that of the built-in model (music_interpret/base_model/README.md); the loss is the sum of the six fields'
cross-entropies over real tokens, so that padding does not count. Which songs a step sees, their augmentation and its
dropout are functions of seed and step alone: a run that was killed and resumed ends with the weights of one that was
not (with --minutes, where the clock decides, up to the clock).
"""

import hashlib
import io
import json
import math
import shutil
import sys
import time
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from tqdm import tqdm

from music_interpret import __version__, config, files, paths
from music_interpret.activation_extraction import plan_batches
from music_interpret.cli import exit_code_of
from music_interpret.config import (
    CheckedConfig,
    FolderName,
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Seed,
    as_dict,
    positional,
    within,
)
from music_interpret.errors import InputError
from music_interpret.ingest import MIN_POLYPHONY
from music_interpret.interrupts import held_back
from music_interpret.models.device import DeviceName, pick_device
from music_interpret.models.mmt import MMT, next_token_losses
from music_interpret.models.mmt_names import to_authors_names
from music_interpret.models.mmt_sizes import MMTSizes
from music_interpret.music.dataset import Dataset, Split, open_dataset
from music_interpret.music.notes import BEAT, PITCH
from music_interpret.music.scores import polyphony
from music_interpret.tokens import mmt as tokens
from music_interpret.tokens.mmt import FIELDS, MMTScheme

PROG = "python3 scripts/train_base_model.py"
PITCH_SHIFTS = np.arange(-5, 7)
# Songs are drawn for this many batches at once, of which one is taken: enough of them to find songs of about a length.
BATCHES_DRAWN = 8


@dataclass(frozen=True, kw_only=True)
class BaseModelConfig(CheckedConfig):
    """Train a Multitrack Music Transformer on a data set and keep the weights with the best validation loss."""

    dataset_name: FolderName = positional()
    """Folder of the data set under data/base/ (with or without _notes), and of the model under models/."""
    data_repr: FolderName = positional()
    """Folder of the new model under `models/<dataset_name>/`."""
    dim: Annotated[int, within(1, 2**16)] = 256
    """Width of the residual stream."""
    blocks: Annotated[int, within(1, 1024)] = 4
    """Blocks of attention and feed-forward; a block has two layers."""
    heads: Annotated[int, within(1, 1024)] = 4
    """Attention heads, each 64 wide."""
    max_seq_len: Annotated[int, within(4, 2**20)] = 512
    """Longest sequence, in tokens."""
    max_beat: Annotated[int, within(1, 2**20)] = 128
    """Beats of a song that the model sees."""
    positions: Literal["absolute", "rotary", "none"] = "absolute"
    """Position embedding."""
    steps: PositiveInt = 3700
    """Optimiser steps."""
    minutes: PositiveFloat | None = None
    """Train for this long instead of a number of steps."""
    batch_tokens: Annotated[int, within(1, 2**24)] = 4096
    """Tokens a batch may hold, padding included."""
    lr: PositiveFloat = 1.2e-3
    """Learning rate of AdamW after warm-up; it falls along a cosine to a twentieth."""
    warmup_steps: NonNegativeInt = 150
    """Steps over which the learning rate rises from 0."""
    weight_decay: NonNegativeFloat = 0.01
    """Weight decay of AdamW."""
    gradient_norm: PositiveFloat = 1.0
    """Gradients with a larger norm are scaled down to it."""
    dropout: Fraction = 0.1
    """Share of entries set to 0 in training, in embeddings, attention and feed-forward."""
    polyphonic_share: Fraction = 0.8
    """Probability of drawing a polyphonic song, where there are both kinds."""
    crop_share: Fraction = 0.5
    """Probability that a song is taken from a random beat on and not from its start."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """dtype of the matrix products (autocast); parameters stay float32."""
    half: bool = False
    """Save the model in float16: half the size; loading makes it float32 again."""
    valid_songs: PositiveInt = 160
    """Validation songs to measure on, the first of the list."""
    valid_every: PositiveInt = 200
    """Steps between measurements, after each of which the state is saved."""
    seed: Seed = 0
    """Fixes the initial weights, what each step sees, and dropout."""
    device: DeviceName = "auto"
    """Where to train; auto takes a GPU if there is one, cuda:1 the second GPU."""
    resume: bool = False
    """Go on with an interrupted training."""
    overwrite: bool = False
    """Train again where a model is; it stays until the first measurement replaces it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resume and self.overwrite:
            raise InputError("--resume and --overwrite exclude each other")

    def sizes(self) -> MMTSizes:
        return MMTSizes(
            dim=self.dim,
            layers=self.blocks,
            heads=self.heads,
            max_seq_len=self.max_seq_len,
            max_beat=self.max_beat,
            abs_pos_emb=self.positions == "absolute",
            rel_pos_emb=self.positions == "rotary",
        )

    def lr_at(self, step: int, done: float) -> float:
        """Learning rate of a step: linear warm-up, times a cosine of the share `done` that falls from 1 to 0.05."""
        warm = min(1.0, (step + 1) / max(self.warmup_steps, 1))
        return self.lr * warm * (0.05 + 0.95 * (1 + math.cos(math.pi * done)) / 2)


class Batch(NamedTuple):
    """Songs of about one length."""

    codes: Tensor
    """int64 (n_songs, length, 6), right-padded with zeros."""
    mask: Tensor
    """bool (n_songs, length), true for real tokens."""

    @classmethod
    def of(cls, songs: list[np.ndarray]) -> "Batch":
        codes = np.zeros((len(songs), max(map(len, songs)), len(FIELDS)), np.int64)
        for row, song in zip(codes, songs, strict=True):
            row[: len(song)] = song
        lengths = np.array([[len(song)] for song in songs])
        return cls(torch.from_numpy(codes), torch.from_numpy(np.arange(codes.shape[1]) < lengths))


def shifted(notes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """All pitches moved by the same number of semitones, one of those in PITCH_SHIFTS that keep them in 0 … 127."""
    lowest, highest = notes[:, PITCH].min(), notes[:, PITCH].max()
    allowed = PITCH_SHIFTS[(lowest + PITCH_SHIFTS >= 0) & (highest + PITCH_SHIFTS <= 127)]
    notes = notes.copy()
    notes[:, PITCH] += rng.choice(allowed)
    return notes


def cropped(notes: np.ndarray, max_notes: int, max_beat: int, rng: np.random.Generator) -> np.ndarray:
    """Notes from a random beat on, the first one's beat made 0.

    A song that is longer than a sequence may start anywhere that leaves a full one; at least the first half may go.
    """
    beats = notes[:, BEAT]
    latest = max(beats[max(len(notes) - max_notes, 0)], beats[-1] + 1 - max_beat, beats[-1] // 2)
    kept = notes[np.searchsorted(beats, rng.integers(latest + 1)) :].copy()
    kept[:, BEAT] -= kept[0, BEAT]
    return kept


class TrainingSongs:
    """Notes of the train songs, in memory; a step's batch is a function of the seed and the step."""

    def __init__(self, settings: BaseModelConfig, scheme: MMTScheme, songs: list[np.ndarray]) -> None:
        self.settings, self.scheme, self.songs = settings, scheme, songs
        polyphonic = np.array([polyphony(notes, scheme.resolution) >= MIN_POLYPHONY for notes in songs])
        self.weights = np.where(polyphonic, settings.polyphonic_share, 1 - settings.polyphonic_share)
        if polyphonic.any() and not polyphonic.all():
            self.weights /= np.where(polyphonic, polyphonic.sum(), (~polyphonic).sum())
        else:
            self.weights[:] = 1
        self.weights /= self.weights.sum()
        mean_length = float(np.minimum([len(notes) for notes in songs], settings.max_seq_len) @ self.weights)
        self.n_drawn = max(1, round(BATCHES_DRAWN * settings.batch_tokens / mean_length))

    def batch(self, step: int) -> Batch:
        settings, rng = self.settings, np.random.default_rng([self.settings.seed, step])
        drawn = rng.choice(len(self.songs), self.n_drawn, p=self.weights)
        songs = [self._window(self.songs[number], rng) for number in drawn]
        lengths = np.minimum([len(notes) + 4 for notes in songs], settings.max_seq_len)
        plan = plan_batches(lengths, settings.batch_tokens)
        sizes = np.array([lengths[batch.songs].sum() for batch in plan])
        chosen = plan[rng.choice(len(plan), p=sizes / sizes.sum())].songs
        return Batch.of([self.encode(shifted(songs[number], rng)) for number in chosen])

    def _window(self, notes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        settings = self.settings
        if rng.random() < settings.crop_share:
            notes = cropped(notes, settings.max_seq_len, settings.max_beat, rng)
        return notes[: np.searchsorted(notes[:, BEAT], settings.max_beat)]

    def encode(self, notes: np.ndarray) -> np.ndarray:
        return self.scheme.encode(notes, self.settings.sizes().limits)


@dataclass
class Progress:
    """How far a training is."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    """Time spent training, over all runs."""
    best: float = math.inf
    """Smallest validation loss so far."""
    losses: list[float] = field(default_factory=lambda: [0.0] * len(FIELDS))
    """Each field's training loss, summed over the steps since the last measurement."""


class Training:
    """Model, optimiser, and the loop with its logs and checkpoints."""

    def __init__(
        self,
        settings: BaseModelConfig,
        scheme: MMTScheme,
        songs: dict[Split, list[np.ndarray]],
        folder: Path,
        arguments: dict[str, Any],
    ) -> None:
        self.settings, self.folder, self.arguments = settings, folder, arguments
        self.songs = TrainingSongs(settings, scheme, songs["train"])
        codes = [self.songs.encode(notes) for notes in songs["valid"][: settings.valid_songs]]
        plan = plan_batches(np.array([len(song) for song in codes]), settings.batch_tokens)
        self.valid = [Batch.of([codes[number] for number in batch.songs]) for batch in plan]
        torch.manual_seed(settings.seed)
        model = MMT(settings.sizes(), scheme.sizes, settings.dropout)
        for weight in model.embeddings.parameters():
            nn.init.kaiming_normal_(weight)  # as in x-transformers 0.25.9, which the authors trained with
        self.device = pick_device(settings.device)
        self.model = model.to(self.device)
        self.optimizer = torch.optim.AdamW(
            model.parameters(), betas=(0.9, 0.98), weight_decay=settings.weight_decay, fused=True
        )
        self.progress = Progress()
        self.metrics: list[dict[str, float]] = []
        self.state_path = folder / "training" / "state.safetensors"

    def done(self) -> float:
        """Share of the training that is done."""
        if self.settings.minutes is not None:
            return self.progress.seconds / (60 * self.settings.minutes)
        return self.progress.step / self.settings.steps

    def train(self) -> None:
        """Train to the end. Ctrl-C is taken up between steps, where the state is whole."""
        progress, settings = self.progress, self.settings
        total = settings.steps if settings.minutes is None else None
        bar = tqdm(total=total, initial=progress.step, desc="train base model", unit="step")
        first_tokens, first_second, before = progress.tokens, time.monotonic(), progress.seconds
        with bar, held_back() as interrupted:
            while self.done() < 1:
                loss = self.step()
                progress.seconds = before + time.monotonic() - first_second
                rate = (progress.tokens - first_tokens) / (progress.seconds - before)
                bar.update()
                bar.set_postfix_str(f"{rate:,.0f} tokens/s, loss {loss:.3f}, best valid {progress.best:.3f}", False)
                if progress.step % settings.valid_every == 0 or self.done() >= 1:
                    self.measure()
                    self.save_state()
                if interrupted():
                    self.save_state()
                    raise KeyboardInterrupt(f"saved step {progress.step}; the same command with --resume goes on")
        files.write_json(self.folder / "training" / "arguments.json", self.arguments | {"finished": True})
        self.state_path.unlink()

    def step(self) -> float:
        """One optimiser step; returns its loss."""
        progress, settings = self.progress, self.settings
        batch = self.songs.batch(progress.step)
        torch.manual_seed(int(np.random.default_rng([settings.seed, progress.step, 1]).integers(2**63)))
        self.model.train()
        losses = self.losses(batch)
        loss = losses.sum()
        if not math.isfinite(loss.item()):
            raise InputError(f"loss is {loss.item()} at step {progress.step}; a lower --lr than {settings.lr} may help")
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), settings.gradient_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = settings.lr_at(progress.step, self.done())
        self.optimizer.step()
        progress.step += 1
        progress.tokens += int(batch.mask.sum())
        progress.losses = [a + b for a, b in zip(progress.losses, losses.tolist(), strict=True)]
        return loss.item()

    def losses(self, batch: Batch) -> Tensor:
        """Mean loss of each field over a batch's real tokens, (6,)."""
        codes, mask = batch.codes.to(self.device), batch.mask.to(self.device)
        with self.autocast():
            logits = self.model(codes[:, :-1])
        return next_token_losses(logits, codes, mask)

    def autocast(self) -> AbstractContextManager[None]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bfloat16")

    @torch.no_grad()
    def measure(self) -> None:
        """Measure on the validation songs, note it down, and keep the weights if they are the best so far."""
        progress = self.progress
        self.model.eval()
        counts = [int(batch.mask[:, 1:].sum()) for batch in self.valid]
        valid = sum(self.losses(batch).double() * n for batch, n in zip(self.valid, counts, strict=True)) / sum(counts)
        assert isinstance(valid, Tensor)
        since = progress.step - (int(self.metrics[-1]["step"]) if self.metrics else 0)
        train = [loss / since for loss in progress.losses]
        progress.losses = Progress().losses
        line = {"step": progress.step, "tokens": progress.tokens, "seconds": round(progress.seconds, 1)}
        line |= {"loss/train": sum(train), "loss/valid": float(valid.sum())}
        line |= {f"train/{name}": loss for name, loss in zip(FIELDS, train, strict=True)}
        line |= {f"valid/{name}": loss for name, loss in zip(FIELDS, valid.tolist(), strict=True)}
        self.metrics.append(line)
        files.write_text(
            self.folder / "training" / "metrics.jsonl", "".join(f"{json.dumps(m)}\n" for m in self.metrics)
        )
        tqdm.write(f"step {progress.step}: loss {line['loss/train']:.3f}, on validation songs {line['loss/valid']:.3f}")
        if line["loss/valid"] < progress.best:
            progress.best = line["loss/valid"]
            self.save_model()

    def save_model(self) -> None:
        """Write the weights under the authors' names, and the sizes that belong to them."""
        settings = self.settings
        args = asdict(settings.sizes()) | {"dropout": settings.dropout, "dataset": settings.dataset_name}
        tensors = {name: tensor.detach().cpu() for name, tensor in to_authors_names(self.model).items()}
        if settings.half:
            tensors = {n: t if n.endswith("inv_freq") else t.half() for n, t in tensors.items()}
        files.write_json(self.folder / "train-args.json", args)
        content = io.BytesIO()  # torch and safetensors tell of a full disk in ways of their own, so they write no file
        torch.save(tensors, content)
        with files.atomic_write(self.folder / "checkpoints" / "best_model.pt") as file:
            file.write(content.getbuffer())

    def save_state(self) -> None:
        """Write everything that later steps depend on: weights, AdamW's moments, and as JSON the progress."""
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for name, parameter in self.model.named_parameters():
            tensors |= {f"adam.{key}.{name}": value for key, value in self.optimizer.state[parameter].items()}
        tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        metadata = {"progress": json.dumps(asdict(self.progress))}
        with files.atomic_write(self.state_path) as file:
            file.write(save(tensors, metadata))

    def load_state(self) -> None:
        """Take up what `save_state` wrote."""
        try:
            with safe_open(self.state_path, "pt") as file:
                tensors = {name: file.get_tensor(name).to(self.device) for name in file.keys()}  # noqa: SIM118
                self.progress = Progress(**json.loads(file.metadata()["progress"]))
            self.model.load_state_dict({n[6:]: tensor for n, tensor in tensors.items() if n.startswith("model.")})
            for name, parameter in self.model.named_parameters():
                moments = {key: tensors[f"adam.{key}.{name}"] for key in ("exp_avg", "exp_avg_sq", "step")}
                self.optimizer.state[parameter] = moments
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"{self.state_path} is damaged ({error}); --overwrite starts again") from None
        path = self.folder / "training" / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        self.metrics = [line for line in map(json.loads, lines) if line["step"] <= self.progress.step]


def load_songs(dataset: Dataset, split: Split, max_beat: int) -> list[np.ndarray]:
    """Notes of every song of a split that has some before `max_beat`; InputError if there are no such songs."""
    names = [name for name, its in zip(dataset.names, dataset.splits, strict=True) if its == split]
    songs = [dataset.notes(name) for name in tqdm(names, f"read {split} songs", unit="song", leave=False)]
    songs = [notes for notes in songs if notes[0, BEAT] < max_beat]
    if not songs:
        raise InputError(f"{dataset.folder} has no {split} songs; list some in {split}-names.txt, or add songs")
    return songs


def train_base_model(settings: BaseModelConfig) -> Path:
    """Train a model (or go on) and return its folder.

    Raises:
        InputError: unknown or broken data, no validation songs, or a model or other training in the way.
    """
    dataset = open_dataset(paths.dataset_folder(settings.dataset_name))
    pick_device(settings.device)
    folder = paths.home() / "models" / settings.dataset_name / settings.data_repr
    check_in_the_way(settings, folder)
    used: tuple[Split, ...] = ("train", "valid")
    songs = {split: load_songs(dataset, split, settings.max_beat) for split in used}
    arguments = {
        "music_interpret": __version__,
        "arguments": {k: v for k, v in as_dict(settings).items() if k not in ("resume", "overwrite")},
        "songs": {f"{split}_sha256": digest(notes) for split, notes in songs.items()},
    }
    if not (settings.resume and is_finished(folder, arguments)):
        training = Training(settings, tokens.load(dataset.folder / "notes"), songs, folder, arguments)
        with files.locked(folder, "this model"):
            if settings.overwrite:
                shutil.rmtree(folder / "training", ignore_errors=True)
            files.write_json(folder / "training" / "arguments.json", arguments)
            if settings.resume and training.state_path.is_file():
                training.load_state()
            training.train()
    lines = (folder / "training" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    best = min(map(json.loads, lines), key=lambda line: line["loss/valid"])
    fields = ", ".join(f"{name} {best[f'valid/{name}']:.3f}" for name in FIELDS)
    print(f"validation loss {best['loss/valid']:.3f} ({fields}) at step {best['step']:,} → {folder}")
    return folder


def check_in_the_way(settings: BaseModelConfig, folder: Path) -> None:
    """Refuse to write over a model, and to go on where nothing was begun."""
    begun = folder / "training" / "arguments.json"
    if settings.resume:
        if not begun.is_file():
            raise InputError(f"no training to resume in {folder}")
    elif not settings.overwrite:
        for path in (begun, folder / "train-args.json", folder / "checkpoints"):
            if path.exists():
                raise InputError(
                    f"{path} is there; --resume goes on, --overwrite trains again, or take another data_repr"
                )


def is_finished(folder: Path, arguments: dict[str, Any]) -> bool:
    """Whether a training is finished; InputError if it was begun with other arguments or songs."""
    old = files.read_json(folder / "training" / "arguments.json")
    for part in ("arguments", "songs"):
        for key, value in arguments[part].items():
            if old.get(part, {}).get(key) != value:
                what = f"--{key} {old.get(part, {}).get(key)}" if part == "arguments" else "other songs"
                raise InputError(f"{folder} was begun with {what}; --resume needs the same")
    return bool(old.get("finished"))


def digest(songs: list[np.ndarray]) -> str:
    """Identity of songs: SHA-256 over their notes."""
    state = hashlib.sha256()
    for notes in songs:
        state.update(notes.tobytes())
    return state.hexdigest()


def main(argv: list[str]) -> int:
    """Run on command-line words and return the exit code."""
    return exit_code_of(lambda: train_base_model(config.parse(BaseModelConfig, argv, PROG)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
