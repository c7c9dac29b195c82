"""How an autoencoder is trained, apart from on what: the options of a training, with the rules between them."""

from dataclasses import dataclass
from typing import Annotated, Literal

from music_interpret.config import (
    CheckedConfig,
    Fraction,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Seed,
    within,
)
from music_interpret.errors import InputError
from music_interpret.sae.architectures import ARCHITECTURES, ArchitectureName

# What is taken where nothing is given.
ALPHAS: dict[str, float] = {"relu": 1e-2, "gated": 1e-2, "jumprelu": 1.0}
SPARSITY_WARMUPS: dict[str, float] = {"relu": 0.1, "gated": 0.1, "jumprelu": 0.3}
K = 32.0


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(CheckedConfig):
    """Architecture, sparsity, optimiser and order of the tokens, for one autoencoder or several.

    Raises:
        InputError: an option has no meaning for the architecture, or a value that it cannot have.
    """

    architecture: ArchitectureName = "topk"
    """relu and gated are made sparse by a penalty (alpha), the others by how many latents may fire (k): topk on each
    token, batchtopk and matryoshka on average, jumprelu on average by a penalty.
    """
    token_baseline: Literal["none", "additive"] = "additive"
    """additive: subtract what a token's own fields say (one trained vector for each value), so that latents are left to
    say what the model made of the context.
    """
    d_sae: Annotated[int, within(1, 2**24)] = 2048
    """Number of latents."""
    k: tuple[PositiveFloat, ...] | None = None
    """Latents that fire on a token (topk, batchtopk, matryoshka), or the number aimed at (jumprelu): 32 if not given.
    Several values train several autoencoders.
    """
    alpha: tuple[NonNegativeFloat, ...] | None = None
    """Weight of the sparsity penalty against the squared error (averaged over dimensions): 0.01 for relu and gated, 1
    for jumprelu if not given. Several values train several autoencoders.
    """
    decoder_norm: Literal["unit", "free"] = "unit"
    """relu only: unit keeps decoder rows at norm 1; free leaves them, and weighs the penalty by them."""
    prefixes: tuple[PositiveInt, ...] | None = None
    """matryoshka only: numbers of latents that reconstruct on their own; 1/16, 1/8, 1/4, 1/2 and all if not given."""
    bandwidth: PositiveFloat = 0.5
    """jumprelu only: width of the window around a threshold from which its gradient comes."""
    lr: PositiveFloat = 3e-3
    """Learning rate of Adam after warm-up."""
    batch_size: PositiveInt = 1024
    """Tokens an optimiser step."""
    epochs: PositiveInt = 8
    """Passes over the train songs."""
    lr_warmup: Fraction = 0.05
    """Fraction of the steps over which the learning rate rises from 0."""
    lr_decay: Fraction = 0.2
    """Fraction of the steps over which the learning rate falls to 0 at the end."""
    sparsity_warmup: Fraction | None = None
    """Fraction of the steps over which the penalty rises from 0, or k falls from four times its value: 0.1 for relu and
    gated, 0.3 for jumprelu, 0 for the others if not given.
    """
    clip_norm: NonNegativeFloat = 0.0
    """Largest norm of a step's gradients together; 0 leaves them as they are."""
    aux_weight: NonNegativeFloat = 0.03125
    """Weight of the loss through which dead latents learn what the others leave over (AuxK); 0 leaves them dead."""
    encoder_bias: float = -1.0
    """Initial encoder bias of relu and gated (jumprelu: threshold) in normalised space: how many standard deviations a
    latent ignores at first.
    """
    encoder_scale: PositiveFloat = 1.0
    """Initial encoder, as a multiple of the transposed decoder."""
    decoder_bias: bool = True
    """Whether the decoder bias is trained; without it stays at the mean of the activations."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """dtype of the dense matrix products; parameters and sums stay float32."""
    seed: Seed = 0
    """Fixes the initial weights and the order of the tokens."""
    buffer_tokens: PositiveInt = 4_194_304
    """Tokens held in memory for shuffling, over all sites; a larger set is shuffled in buffers of this size."""
    window_tokens: PositiveInt = 50_000
    """Tokens without firing after which a latent counts as dead; overactive ones are counted over as many."""
    log_every: PositiveInt = 50
    """Steps between logged losses."""
    checkpoint_every: PositiveInt = 1000
    """Steps between checkpoints."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_sparsity()

    @property
    def alphas(self) -> tuple[float, ...]:
        """Every weight of the penalty that is trained with; (0,) where there is no penalty."""
        return self.alpha or (ALPHAS.get(self.architecture, 0.0),)

    @property
    def ks(self) -> tuple[float, ...]:
        """Every number of firing latents that is trained with; (0,) where alpha decides it."""
        return self.k or ((min(K, float(self.d_sae)),) if "k" in ARCHITECTURES[self.architecture].knobs else (0.0,))

    @property
    def sparsity_warmup_fraction(self) -> float:
        """Fraction of the steps over which the penalty rises from 0, or k falls to its value."""
        given = self.sparsity_warmup
        return SPARSITY_WARMUPS.get(self.architecture, 0.0) if given is None else given

    @property
    def nested(self) -> tuple[int, ...]:
        """Numbers of latents that reconstruct on their own; empty but for matryoshka."""
        if self.architecture != "matryoshka":
            return ()
        return self.prefixes or tuple(sorted({max(1, self.d_sae >> power) for power in (4, 3, 2, 1, 0)}))

    def _check_sparsity(self) -> None:
        """Refuse knobs that the architecture does not have, and values that it cannot have."""
        knobs = ARCHITECTURES[self.architecture].knobs
        for knob in ("alpha", "k"):
            values = getattr(self, knob)
            if values is None:
                continue
            if knob not in knobs:
                raise InputError(f"--{knob} has no meaning for {self.architecture}; expected --{' and --'.join(knobs)}")
            named = [f"{value:g}" for value in values]  # as the runs' folders are
            if len(set(named)) < len(named):
                raise InputError(f"--{knob} names a value twice: {' '.join(named)}")
        for k in self.k or ():
            if k > self.d_sae:
                raise InputError(f"--k is {k:g}; expected at most d_sae, {self.d_sae}")
            if self.architecture == "topk" and k != round(k):
                raise InputError(f"--k is {k:g}; expected a whole number for topk")
        if self.decoder_norm == "free" and self.architecture != "relu":
            raise InputError(f"--decoder_norm free has no meaning for {self.architecture}; expected relu")
        if self.prefixes is not None:
            if self.architecture != "matryoshka":
                raise InputError(f"--prefixes has no meaning for {self.architecture}; expected matryoshka")
            if sorted(set(self.prefixes)) != list(self.prefixes):
                raise InputError(f"--prefixes is {self.prefixes}; expected rising numbers")
            if self.prefixes[-1] != self.d_sae:
                raise InputError(f"--prefixes ends with {self.prefixes[-1]}; expected d_sae, {self.d_sae}")
