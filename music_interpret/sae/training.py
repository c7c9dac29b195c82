"""The parts of a training run: hyperparameters, schedules, an optimiser step, and a state to go on from.

Everything that a later step depends on is in `state()`: parameters, Adam's moments, the step number and the firing
statistics. The order of the data is a function of seed and step alone and a step draws no random numbers, so a run
taken up from any checkpoint gives the same weights as one that was never stopped.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from music_interpret.errors import InputError
from music_interpret.sae import auxk
from music_interpret.sae.architectures import ARCHITECTURES, ArchitectureName
from music_interpret.sae.metrics import FiringCounts
from music_interpret.sae.objective import Objective, Scratch, Step
from music_interpret.sae.parameters import Parameters, normalize_rows, remove_parallel
from music_interpret.sae.token_baseline import TokenBaseline

# Weight of a new batch in the moving average of BatchTopK's threshold.
THRESHOLD_RATE = 0.05
# A squared error of so many times what predicting 0 would cost is a run that diverges.
DIVERGED = 10.0


class DivergedError(InputError):
    """A loss that is NaN, or that grows out of all bounds."""


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """What the optimiser does, for a run of `n_steps` steps; the defaults are those of `TrainConfig`."""

    lr: float
    n_steps: int
    lr_warmup: float
    lr_decay: float
    sparsity_warmup: float
    decoder_bias: bool
    clip_norm: float
    """Largest norm of all gradients together; 0 leaves them as they are."""
    aux_weight: float
    """Weight of the auxiliary loss of dead latents; 0 leaves them dead."""
    window_tokens: int
    """Tokens without firing after which a latent counts as dead."""

    def lr_at(self, step: int) -> float:
        """Learning rate of a step: linear warm-up, constant, linear decay to 0."""
        up = (step + 1) / max(1.0, self.lr_warmup * self.n_steps)
        down = (self.n_steps - step) / max(1.0, self.lr_decay * self.n_steps)
        return self.lr * min(1.0, up, down)

    def sparsity_at(self, step: int) -> float:
        """How much of the sparsity is asked for at a step: linear warm-up from 0, then 1."""
        return min(1.0, step / max(1.0, self.sparsity_warmup * self.n_steps)) if self.sparsity_warmup else 1.0


class Trainer:
    """Parameters and optimiser of one sparse autoencoder in normalised space."""

    def __init__(
        self,
        architecture: ArchitectureName,
        parameters: Parameters,
        objective: Objective,
        hyperparameters: Hyperparameters,
        baseline: TokenBaseline | None = None,
    ) -> None:
        """Args:
        architecture: a name in `ARCHITECTURES`.
        parameters: where to start, on the device to train on; they are trained in place.
        objective: what the loss is made of.
        hyperparameters: what the optimiser does.
        baseline: a token baseline in normalised space, trained along.
        """
        self.name = architecture
        self.architecture = ARCHITECTURES[architecture]
        self.parameters = parameters
        self.objective = objective
        self.hyperparameters = hyperparameters
        self.baseline = baseline
        frozen = {"threshold"} | (set() if hyperparameters.decoder_bias else {"b_dec"})
        self.trained = {name: tensor for name, tensor in parameters.items() if name not in frozen}
        if baseline is not None:
            self.trained["baseline"] = baseline.table
        self.optimizer = torch.optim.Adam(list(self.trained.values()), lr=hyperparameters.lr, fused=True)
        self.scratch = Scratch()
        self.n_done = 0
        d_sae, device = parameters["W_enc"].shape[1], parameters["W_enc"].device
        self.tokens_since_fired = torch.zeros(d_sae, dtype=torch.int64, device=device)
        self.firing = FiringCounts(d_sae, device)
        self.window: FiringCounts | None = None

    @torch.no_grad()
    def step(self, x: Tensor, tokens: Tensor | None = None) -> Step:
        """Take one optimiser step on normalised activations (batch, d_in).

        Args:
            x: float32.
            tokens: the tokens, integers (batch, n_fields), for a token baseline.

        Raises:
            DivergedError: the loss is NaN or grows out of all bounds; nothing was changed.
        """
        settings = self.hyperparameters
        if self.baseline is not None:
            assert tokens is not None
            x = x - self.baseline(tokens)
        objective = self.objective.at(settings.sparsity_at(self.n_done))
        result = self.architecture.step(
            self.parameters, x, objective, input_gradient=self.baseline is not None, scratch=self.scratch
        )
        self._check(result, x)
        gradients = dict(result.gradients)
        dead = self.dead()
        if settings.aux_weight and len(dead):
            bias, weight = self.architecture.bias, settings.aux_weight
            aux = auxk.add_gradients(gradients, self.parameters, x, result.error, dead, weight, bias)
            result = result._replace(parts=result.parts | {"aux": aux})
        if not objective.by_decoder_norm:
            remove_parallel(gradients["W_dec"], self.parameters["W_dec"])
        if self.baseline is not None:
            assert tokens is not None and result.input_gradient is not None
            gradients["baseline"] = self.baseline.gradient(tokens, -result.input_gradient)
        for name, tensor in self.trained.items():
            tensor.grad = gradients[name]
        if settings.clip_norm:
            torch.nn.utils.clip_grad_norm_(list(self.trained.values()), settings.clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = settings.lr_at(self.n_done)
        self.optimizer.step()
        if not objective.by_decoder_norm:
            normalize_rows(self.parameters["W_dec"])
        self._note(result, len(x))
        return result

    def _check(self, result: Step, x: Tensor) -> None:
        loss, mse, of_zero = torch.stack([result.loss, result.parts["mse"], x.square().mean()]).tolist()
        if not (loss < float("inf") and mse <= DIVERGED * of_zero):
            what = f"loss is {loss:g}" if not loss < float("inf") else f"squared error is {mse / of_zero:.0f} times x's"
            raise DivergedError(
                f"{what} at step {self.n_done + 1}; a --lr lower than {self.hyperparameters.lr:g} or a --clip_norm "
                "may help"
            )

    def _note(self, result: Step, n_tokens: int) -> None:
        """Count the step and what fired in it."""
        self.n_done += 1
        if result.threshold is not None:
            threshold = self.parameters["threshold"]
            known = threshold >= 0
            threshold.copy_(torch.where(known, threshold.lerp(result.threshold, THRESHOLD_RATE), result.threshold))
        self.tokens_since_fired += n_tokens
        self.tokens_since_fired.masked_fill_(result.counts > 0, 0)
        self.firing.add_counts(result.counts, n_tokens)
        if self.firing.n_tokens >= self.hyperparameters.window_tokens:
            self.window, self.firing = self.firing, FiringCounts(len(result.counts), result.counts.device)

    def dead(self) -> Tensor:
        """Numbers of the latents that have not fired for `window_tokens` tokens, int64 (n_dead,)."""
        return torch.nonzero(self.tokens_since_fired >= self.hyperparameters.window_tokens).view(-1)

    def scalars(self, result: Step, x: Tensor) -> dict[str, float]:
        """Losses, sparsity and schedule of the step just taken on `x`, by TensorBoard's names."""
        settings, taken = self.hyperparameters, self.n_done - 1
        l0 = float(result.counts.sum()) / len(x)
        values = {"loss/total": float(result.loss + result.parts.get("aux", 0.0))}
        values |= {f"loss/{name}": float(part) for name, part in result.parts.items()}
        spread = (x - x.mean(dim=0)).square().sum()
        values |= {
            "quality/fvu": float(result.error.square().sum() / spread.clamp_min(1e-12)),
            "quality/shrinkage": float(((x + result.error).norm(dim=1) / x.norm(dim=1).clamp_min(1e-12)).mean()),
            "sparsity/l0": l0,
            "sparsity/fraction_active": l0 / len(result.counts),
            "schedule/lr": settings.lr_at(taken),
        }
        objective = self.objective.at(settings.sparsity_at(taken))
        values |= {f"schedule/{knob}": getattr(objective, knob) for knob in self.architecture.knobs}
        if "threshold" in self.parameters:
            values["sparsity/threshold"] = float(self.parameters["threshold"][0])
        elif "log_threshold" in self.parameters:
            values["sparsity/threshold"] = float(self.parameters["log_threshold"].exp().mean())
        if self.window:
            values["sparsity/dead"] = len(self.dead()) / len(result.counts)
            values["sparsity/overactive"] = self.window.overactive
        return values

    def state(self) -> dict[str, Tensor]:
        """Everything that later steps depend on, as tensors."""
        tensors = {name: tensor.clone() for name, tensor in (self.parameters | self.trained).items()}
        for name, parameter in self.trained.items():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"adam.{name}.{key}"] = value.clone()
        windows = {"firing": self.firing} | ({"window": self.window} if self.window else {})
        for key, counts in windows.items():
            tensors[f"{key}.counts"] = counts.counts.clone()
            tensors[f"{key}.n_tokens"] = torch.tensor(counts.n_tokens)
        return tensors | {"n_done": torch.tensor(self.n_done), "tokens_since_fired": self.tokens_since_fired.clone()}

    @torch.no_grad()
    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take up what `state` gave."""
        device = self.tokens_since_fired.device
        for name, parameter in (self.parameters | self.trained).items():
            parameter.copy_(tensors[name])
        for name, parameter in self.trained.items():
            prefix = f"adam.{name}."
            moments = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            if moments:
                self.optimizer.state[parameter] = {k: _like(v, parameter) for k, v in moments.items()}
        self.n_done = int(tensors["n_done"])
        self.tokens_since_fired.copy_(tensors["tokens_since_fired"])
        self.firing = _counts(tensors, "firing", device)
        self.window = _counts(tensors, "window", device) if "window.counts" in tensors else None


def _like(moment: Tensor, parameter: Tensor) -> Tensor:
    """A moment of Adam laid out in memory as its parameter is, which the fused kernel takes for granted."""
    if moment.shape != parameter.shape:
        return moment.clone().to(parameter.device)  # the step count
    return torch.empty_like(parameter).copy_(moment)


def _counts(tensors: dict[str, Tensor], key: str, device: torch.device) -> FiringCounts:
    counts = FiringCounts(0, device)
    counts.counts = tensors[f"{key}.counts"].clone().to(device)
    counts.n_tokens = int(tensors[f"{key}.n_tokens"])
    return counts
