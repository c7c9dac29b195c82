"""The parts of a training run: hyperparameters, schedules, an optimiser step, and a state to go on from.

Everything that a later step depends on is in `state()`: parameters, Adam's moments, the step number and the firing
window. The order of the data is a function of seed and step alone, so a run taken up from any checkpoint gives the
same weights as one that was never stopped.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from music_interpret.errors import InputError
from music_interpret.sae import relu
from music_interpret.sae.metrics import FiringCounts
from music_interpret.sae.relu import Parameters, Step


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """What the optimiser does, for a run of `n_steps` steps."""

    alpha: float
    lr: float
    n_steps: int
    lr_warmup: float
    lr_decay: float
    alpha_warmup: float
    decoder_bias: bool
    dtype: torch.dtype

    def lr_at(self, step: int) -> float:
        """Learning rate of a step: linear warm-up, constant, linear decay to 0."""
        up = (step + 1) / max(1.0, self.lr_warmup * self.n_steps)
        down = (self.n_steps - step) / max(1.0, self.lr_decay * self.n_steps)
        return self.lr * min(1.0, up, down)

    def alpha_at(self, step: int) -> float:
        """Sparsity weight of a step: linear warm-up from 0, then constant."""
        return self.alpha * min(1.0, step / max(1.0, self.alpha_warmup * self.n_steps))


class Trainer:
    """Parameters and optimiser of one sparse autoencoder in normalised space."""

    def __init__(self, parameters: Parameters, hyperparameters: Hyperparameters, window_tokens: int) -> None:
        self.parameters = parameters
        self.hyperparameters = hyperparameters
        self.window_tokens = window_tokens
        trained = parameters if hyperparameters.decoder_bias else parameters[:3]
        self.optimizer = torch.optim.Adam(list(trained), lr=hyperparameters.lr, fused=True)
        self.n_done = 0
        self.firing = FiringCounts(len(parameters.b_enc), parameters.b_enc.device)
        self.window: FiringCounts | None = None

    def step(self, x: Tensor) -> Step:
        """Take one optimiser step on normalised activations (batch, d_in)."""
        settings = self.hyperparameters
        result = relu.step(self.parameters, x, settings.alpha_at(self.n_done), dtype=settings.dtype)
        relu.remove_parallel(result.gradients.W_dec, self.parameters.W_dec)
        for parameter, gradient in zip(self.parameters, result.gradients, strict=True):
            parameter.grad = gradient
        for group in self.optimizer.param_groups:
            group["lr"] = settings.lr_at(self.n_done)
        self.optimizer.step()
        relu.normalize_rows(self.parameters.W_dec)
        self.n_done += 1
        self.firing.add(result.z)
        if self.firing.n_tokens >= self.window_tokens:
            self.window, self.firing = self.firing, FiringCounts(len(self.firing.counts), x.device)
        return result

    def scalars(self, result: Step) -> dict[str, float]:
        """Losses, sparsity and schedule of the step just taken; InputError if the loss is no number any more."""
        settings, taken = self.hyperparameters, self.n_done - 1
        mse, l1 = float(result.squared_error), float(result.l1)
        loss = mse + settings.alpha_at(taken) * l1
        if not loss < float("inf"):
            raise InputError(f"loss is {loss} at step {self.n_done}; a lower --lr than {settings.lr} may help")
        firing = int(torch.count_nonzero(result.z))
        values = {
            "loss/total": loss,
            "loss/mse": mse,
            "loss/l1": l1,
            "sparsity/l0": firing / len(result.z),
            "sparsity/fraction_active": firing / result.z.numel(),
            "sparsity/mean_activation": l1 * len(result.z) / max(firing, 1),
            "schedule/lr": settings.lr_at(taken),
            "schedule/alpha": settings.alpha_at(taken),
        }
        if self.window:
            values["sparsity/dead"] = self.window.dead
            values["sparsity/overactive"] = self.window.overactive
        return values

    def state(self) -> dict[str, Tensor]:
        """Everything that later steps depend on, as tensors."""
        tensors = {name: tensor.clone() for name, tensor in self.parameters._asdict().items()}
        for name, parameter in self.parameters._asdict().items():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"adam.{name}.{key}"] = value.clone()
        windows = {"firing": self.firing} | ({"window": self.window} if self.window else {})
        for key, counts in windows.items():
            tensors[f"{key}.counts"] = counts.counts.clone()
            tensors[f"{key}.n_tokens"] = torch.tensor(counts.n_tokens)
        return tensors | {"n_done": torch.tensor(self.n_done)}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take up what `state` gave."""
        device = self.parameters.b_enc.device
        for name, parameter in self.parameters._asdict().items():
            parameter.copy_(tensors[name])
            prefix = f"adam.{name}."
            moments = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            if moments:
                self.optimizer.state[parameter] = {k: v.clone().to(device) for k, v in moments.items()}
        self.n_done = int(tensors["n_done"])
        self.firing = _counts(tensors, "firing", device)
        self.window = _counts(tensors, "window", device) if "window.counts" in tensors else None


def _counts(tensors: dict[str, Tensor], key: str, device: torch.device) -> FiringCounts:
    counts = FiringCounts(0, device)
    counts.counts = tensors[f"{key}.counts"].clone().to(device)
    counts.n_tokens = int(tensors[f"{key}.n_tokens"])
    return counts
