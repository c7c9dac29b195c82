"""The training of a base model: its loop, its steps, and its measurements on the validation songs."""

import json
import math
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from base_model import checkpoint
from base_model.checkpoint import Progress
from base_model.config import BaseModelConfig
from base_model.songs import Batch, TrainingSongs
from music_interpret import files
from music_interpret.activations.song_batches import plan_batches
from music_interpret.errors import InputError
from music_interpret.interrupts import held_back
from music_interpret.models.device import pick_device
from music_interpret.models.mmt import MMT, next_token_losses
from music_interpret.music.dataset import Split
from music_interpret.tokens.mmt import FIELDS, MMTScheme


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
        """Fraction of the training that is done."""
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
            checkpoint.save_model(self.model, self.settings, self.folder)

    def save_state(self) -> None:
        """Write what `load_state` goes on from."""
        checkpoint.save_state(self.state_path, self.model, self.optimizer, self.progress)

    def load_state(self) -> None:
        """Go on from what `save_state` wrote; InputError if it is damaged."""
        self.progress = checkpoint.load_state(self.state_path, self.model, self.optimizer, self.device)
        path = self.folder / "training" / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        self.metrics = [line for line in map(json.loads, lines) if line["step"] <= self.progress.step]
