"""A trained sparse autoencoder: raw activations in, latents and reconstructions out; saved in the SAELens layout.

A folder holds `cfg.json` and `sae_weights.safetensors` with `W_enc` (d_in, d_sae), `b_enc`, `W_dec` (d_sae, d_in) and
`b_dec`, float32. The normalisation that it was trained under is folded into the weights, exactly, so it takes
activations as the model makes them.
"""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, from_numpy, nn

from music_interpret import __version__, files
from music_interpret.activations.normalization import Normalization
from music_interpret.errors import InputError
from music_interpret.sae import relu
from music_interpret.sae.relu import Parameters

ARCHITECTURE = "standard"


class SparseAutoencoder(nn.Module):
    """z = ReLU(x W_enc + b_enc), x̂ = z W_dec + b_dec, on raw activations."""

    def __init__(self, parameters: Parameters, metadata: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.W_enc, self.b_enc, self.W_dec, self.b_dec = (nn.Parameter(p) for p in parameters)
        self.metadata = metadata or {}

    @property
    def d_in(self) -> int:
        return self.W_enc.shape[0]

    @property
    def d_sae(self) -> int:
        return self.W_enc.shape[1]

    def encode(self, x: Tensor) -> Tensor:
        """Latents of raw activations, (n_tokens, d_in) → (n_tokens, d_sae), none below 0."""
        return relu.encode(self._parameters_tuple(), x.to(self.W_enc.dtype))

    def decode(self, z: Tensor) -> Tensor:
        """Raw activations from latents, (n_tokens, d_sae) → (n_tokens, d_in)."""
        return relu.decode(self._parameters_tuple(), z)

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruction of raw activations."""
        return self.decode(self.encode(x))

    def _parameters_tuple(self) -> Parameters:
        return Parameters(self.W_enc, self.b_enc, self.W_dec, self.b_dec)

    def save(self, folder: Path) -> None:
        """Write the SAELens layout into `folder`."""
        cfg = {
            "architecture": ARCHITECTURE,
            "d_in": self.d_in,
            "d_sae": self.d_sae,
            "dtype": "float32",
            "device": "cpu",
            "apply_b_dec_to_input": False,
            "normalize_activations": "none",
            "reshape_activations": "none",
            "metadata": {"music_interpret_version": __version__} | self.metadata,
        }
        tensors = {k: v.detach().cpu().contiguous() for k, v in self._parameters_tuple()._asdict().items()}
        files.write_bytes(folder / "sae_weights.safetensors", save(tensors))
        files.write_json(folder / "cfg.json", cfg)

    @classmethod
    def load(cls, folder: str | Path) -> "SparseAutoencoder":
        """Read an SAE from its folder; InputError if it is missing, damaged or of a kind that this class does not
        compute.
        """
        folder = Path(folder)
        cfg = files.read_json(folder / "cfg.json")
        right = {"architecture": ARCHITECTURE, "apply_b_dec_to_input": False, "normalize_activations": "none"}
        for key, value in right.items():
            if cfg.get(key) != value:
                raise InputError(f"{folder / 'cfg.json'} has {key} {cfg.get(key)!r}; this version reads {value!r}")
        try:
            tensors = load_file(folder / "sae_weights.safetensors")
            parameters = Parameters(*(tensors[name].float() for name in Parameters._fields))
        except FileNotFoundError:
            raise InputError(f"missing file {folder / 'sae_weights.safetensors'}") from None
        except (SafetensorError, KeyError, OSError) as error:
            raise InputError(f"{folder / 'sae_weights.safetensors'} is damaged ({error})") from None
        if parameters.W_enc.shape != (cfg["d_in"], cfg["d_sae"]):
            raise InputError(f"{folder}: W_enc is {tuple(parameters.W_enc.shape)}, cfg.json says otherwise")
        return cls(parameters, cfg.get("metadata", {})).requires_grad_(False)


def fold_normalization(parameters: Parameters, normalization: Normalization) -> Parameters:
    """Weights on raw activations that give the same latents, and reconstructions taken back to raw space.

    With n = (x − shift) · scale: n W_enc + b_enc = x (scale W_enc) + (b_enc − (shift · scale) W_enc), and
    x̂ = n̂ / scale + shift. Computed in float64.
    """
    W_enc, b_enc, W_dec, b_dec = (p.detach().cpu().double() for p in parameters)
    shift, scale = (from_numpy(a).double() for a in (normalization.shift, normalization.scale))
    return Parameters(
        (scale[:, None] * W_enc).float(),
        (b_enc - (shift * scale) @ W_enc).float(),
        (W_dec / scale).float(),
        (b_dec / scale + shift).float(),
    )
