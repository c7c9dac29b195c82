"""A trained sparse autoencoder: raw activations in, latents and reconstructions out; saved in the SAELens layout.

A folder holds `cfg.json` and `sae_weights.safetensors`, float32. The normalisation that the autoencoder was trained
under is folded into the weights, exactly, so it takes activations as the model makes them.

A context autoencoder (`--token-baseline`) has its lookup alongside, in `token_baseline.safetensors`: it encodes and
reconstructs what an activation holds besides `baseline(tokens)`. Other libraries, which know nothing of that file, see
an autoencoder of x − baseline(tokens); `cfg.json` says so under `metadata`.
"""

import tempfile
from pathlib import Path
from typing import Any, cast, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from music_interpret import __version__, files
from music_interpret.errors import InputError, unknown
from music_interpret.sae import checked
from music_interpret.sae.architectures import ENCODERS, TENSORS, SavedKind
from music_interpret.sae.checked import Array
from music_interpret.sae.parameters import Parameters, with_unit_decoder
from music_interpret.sae.pre_bias import without_pre_bias
from music_interpret.sae.token_baseline import TokenBaseline
from music_interpret.tokens.mmt import FIELDS

WEIGHTS, CONFIG, BASELINE = "sae_weights.safetensors", "cfg.json", "token_baseline.safetensors"
# Without a version, SAELens takes a folder for one from before 6.0 and drops its metadata.
SAELENS_LAYOUT = "6.0.0"


class SparseAutoencoder(nn.Module):
    """z = encode(x), x̂ = z W_dec + b_dec, on raw activations; encode is that of `kind` (see `architectures.py`)."""

    def __init__(
        self,
        kind: SavedKind,
        parameters: Parameters,
        *,
        k: int = 0,
        baseline: TokenBaseline | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Args:
        kind: `standard` (ReLU), `gated`, `topk` or `jumprelu`.
        parameters: the kind's tensors under SAELens's names.
        k: latents that may fire on a token, for `topk`.
        baseline: what is subtracted from activations before encoding.
        metadata: anything that JSON holds.

        Raises:
            InputError: an unknown kind, tensors that are missing or do not fit together, or a k out of range.
        """
        super().__init__()
        _check_parts(kind, parameters, k, baseline)
        self.kind, self.k, self.baseline = kind, k, baseline
        self.weights = nn.ParameterDict({name: parameters[name] for name in TENSORS[kind]})
        self.metadata = metadata or {}
        self.requires_grad_(False)

    @property
    def parameters_by_name(self) -> Parameters:
        """The tensors under SAELens's names."""
        return dict(self.weights.items())

    @property
    def W_enc(self) -> Tensor:
        return self.weights["W_enc"]

    @property
    def W_dec(self) -> Tensor:
        return self.weights["W_dec"]

    @property
    def b_dec(self) -> Tensor:
        return self.weights["b_dec"]

    @property
    def d_in(self) -> int:
        return self.W_enc.shape[0]

    @property
    def d_sae(self) -> int:
        return self.W_enc.shape[1]

    def encode(self, x: Array, tokens: Array | None = None) -> Tensor:
        """Latents of raw activations, (…, d_in) → (…, d_sae), none below 0, in the parameters' dtype.

        Args:
            x: activations of any float type, a tensor or a NumPy array.
            tokens: what they belong to, integers (…, n_fields); needed with a token baseline, else not looked at.

        Raises:
            InputError: x or the tokens do not fit the autoencoder.

        Examples:
            >>> run = music_interpret.open_run("demo/sae")
            >>> x, tokens = run.activations.layer(3).read(0, 4), run.activations.tokens[:4]
            >>> (run.sae.encode(x, tokens) > 0).sum(dim=1)
            tensor([6, 6, 6, 6])
        """
        x = checked.floats("x", x, self.d_in, self.W_enc)
        shape = x.shape[:-1]
        if self.baseline is not None:
            x = x - self._of_tokens(tokens, shape)
        z = ENCODERS[self.kind](self.parameters_by_name, x.reshape(-1, self.d_in), self.k)
        return z.view(*shape, self.d_sae)

    def decode(self, z: Array, tokens: Array | None = None) -> Tensor:
        """Raw activations from latents, (…, d_sae) → (…, d_in); raises as `encode` does.

        Examples:
            >>> run = music_interpret.open_run("demo/sae")
            >>> x, tokens = run.activations.layer(3).read(0, 4), run.activations.tokens[:4]
            >>> run.sae.decode(run.sae.encode(x, tokens), tokens).shape
            torch.Size([4, 64])
        """
        z = checked.floats("z", z, self.d_sae, self.W_dec)
        x = z @ self.W_dec + self.b_dec
        return x if self.baseline is None else x + self._of_tokens(tokens, z.shape[:-1])

    def forward(self, x: Array, tokens: Array | None = None) -> Tensor:
        """Reconstruction of raw activations."""
        return self.decode(self.encode(x, tokens), tokens)

    def _of_tokens(self, tokens: Array | None, shape: torch.Size) -> Tensor:
        """What the token baseline says of tokens of a shape (…), (…, d_in)."""
        assert self.baseline is not None
        if tokens is None:
            raise InputError("this autoencoder has a token baseline; expected encode(x, tokens) and decode(z, tokens)")
        return self.baseline(checked.tokens(tokens, shape, self.baseline, self.W_dec.device))

    def save(self, folder: str | Path) -> None:
        """Write the SAELens layout into `folder`; `cfg.json` comes last."""
        folder = Path(folder)
        cfg: dict[str, Any] = {"architecture": self.kind, "d_in": self.d_in, "d_sae": self.d_sae}
        if self.kind == "topk":
            cfg |= {"k": self.k, "rescale_acts_by_decoder_norm": False}
        cfg |= {
            "dtype": "float32",
            "device": "cpu",
            "apply_b_dec_to_input": False,
            "normalize_activations": "none",
            "reshape_activations": "none",
            "metadata": self.metadata
            | {"music_interpret_version": __version__, "sae_lens_version": SAELENS_LAYOUT}
            | self.baseline_note,
        }
        self.save_baseline(folder)
        tensors = {name: t.detach().cpu().contiguous() for name, t in self.parameters_by_name.items()}
        files.write_bytes(folder / WEIGHTS, save(tensors))
        files.write_json(folder / CONFIG, cfg)

    @property
    def baseline_note(self) -> dict[str, Any]:
        """What the metadata of a saved autoencoder says of its token baseline; empty without one."""
        if self.baseline is None:
            return {}
        note = f"encodes and reconstructs x - baseline(tokens), not x: see {BASELINE}"
        return {"token_baseline": "additive", "token_baseline_note": note, "token_fields": list(self.baseline.names)}

    def save_baseline(self, folder: Path) -> None:
        """Write the token baseline into `folder`, one table for each field; without one, leave none there."""
        if self.baseline is None:
            (folder / BASELINE).unlink(missing_ok=True)
            return
        pieces = self.baseline.table.detach().cpu().split(self.baseline.sizes)
        tables = {name: piece.contiguous() for name, piece in zip(self.baseline.names, pieces, strict=True)}
        files.write_bytes(folder / BASELINE, save(tables))

    def push_to_hub(
        self, repo_id: str, *, folder: str = "", revision: str | None = None, private: bool | None = None
    ) -> str:
        """Upload the autoencoder with a model card to the Hugging Face Hub and return its `hf://` address.

        Args:
            repo_id: `owner/name`; made if it is not there.
            folder: where in the repository; without one, its root.
            revision: branch to commit to; without one, the main branch.
            private: whether a repository that is made is private; without a word, as the owner's settings have it.

        Raises:
            InputError: huggingface_hub is not installed, or the Hub refused.
        """
        from music_interpret.sae import hub

        with tempfile.TemporaryDirectory() as made:
            self.save(made)
            return hub.push(Path(made), repo_id, folder=folder, revision=revision, private=private)

    @classmethod
    def load(cls, folder: str | Path) -> "SparseAutoencoder":
        """Read an autoencoder as saved here or by SAELens.

        Args:
            folder: its folder, that of its run, or `hf://owner/name[@revision][/folder]` on the Hugging Face Hub.

        Raises:
            InputError: it is missing, damaged, or of a kind that this class does not compute.

        Examples:
            >>> sae = SparseAutoencoder.load("reports/demo/sae/layer_003")
            >>> sae.kind, sae.d_in, sae.d_sae
            ('topk', 64, 24)
        """
        if str(folder).startswith("hf://"):
            from music_interpret.sae import hub

            folder = hub.fetch(str(folder), (CONFIG, WEIGHTS, BASELINE))
        folder = Path(folder)
        if not (folder / CONFIG).is_file() and (folder / "sae" / CONFIG).is_file():
            folder = folder / "sae"
        cfg = files.read_json(folder / CONFIG)
        kind, k = _checked(cfg, folder / CONFIG)
        parameters = read_tensors(folder / WEIGHTS, TENSORS[kind])
        expected = {name: shape_of(name, cfg["d_in"], cfg["d_sae"]) for name in TENSORS[kind]}
        for name, tensor in parameters.items():
            if tuple(tensor.shape) != expected[name]:
                raise InputError(f"{folder / WEIGHTS}: {name} is {tuple(tensor.shape)}; {CONFIG} says {expected[name]}")
        if cfg.get("apply_b_dec_to_input", True):  # SAELens's default
            parameters = without_pre_bias(parameters)
        if kind == "topk" and cfg.get("rescale_acts_by_decoder_norm"):
            parameters = with_unit_decoder(parameters)
        metadata = cfg.get("metadata") or {}
        baseline = None
        if metadata.get("token_baseline") == "additive":
            baseline = load_baseline(folder, cfg["d_in"], metadata)
        return cls(kind, parameters, k=k, baseline=baseline, metadata=metadata)


def _check_parts(kind: SavedKind, parameters: Parameters, k: int, baseline: TokenBaseline | None) -> None:
    """InputError for what does not make an autoencoder."""
    if kind not in TENSORS:
        raise unknown("kind of autoencoder", kind, list(TENSORS))
    if missing := [name for name in TENSORS[kind] if name not in parameters]:
        raise InputError(f"{', '.join(missing)} missing; expected {', '.join(TENSORS[kind])} for {kind}")
    if parameters["W_enc"].ndim != 2:
        raise InputError(f"W_enc has shape {tuple(parameters['W_enc'].shape)}; expected (d_in, d_sae)")
    d_in, d_sae = parameters["W_enc"].shape
    for name in TENSORS[kind]:
        found, expected = tuple(parameters[name].shape), shape_of(name, d_in, d_sae)
        if found != expected:
            raise InputError(f"{name} has shape {found}; expected {expected}, since W_enc is {(d_in, d_sae)}")
    if kind == "topk" and not (1 <= k <= d_sae and k == int(k)):
        raise InputError(f"k is {k}; expected a whole number from 1 to d_sae, {d_sae}, for topk")
    if baseline is not None and baseline.table.shape[1] != d_in:
        raise InputError(f"the token baseline's rows are {baseline.table.shape[1]} wide; expected d_in, {d_in}")


def load_baseline(folder: Path, d_in: int, metadata: dict[str, Any]) -> TokenBaseline:
    """Read the token baseline alongside an autoencoder; InputError if it is missing, damaged or of another width.

    Args:
        folder: where the file is.
        d_in: width of the activations.
        metadata: of the autoencoder, which names the tokens' fields; those of MMT in what version 0.1.0 wrote.
    """
    names = metadata.get("token_fields", FIELDS)
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"{folder}: token_fields is {names!r}; expected the names of the tokens' fields")
    tables = list(read_tensors(folder / BASELINE, tuple(names)).values())
    if any(table.shape[1:] != (d_in,) for table in tables):
        raise InputError(f"{folder / BASELINE}: rows are not {d_in} wide, as {CONFIG} says")
    return TokenBaseline(torch.cat(tables), [len(table) for table in tables], names)


def _checked(cfg: Any, path: Path) -> tuple[SavedKind, int]:
    """Kind and k of a `cfg.json`; InputError for what `encode` and `decode` would not compute as it was meant."""
    if not isinstance(cfg, dict) or not isinstance(cfg.get("metadata") or {}, dict):
        raise InputError(f"{path} holds no JSON object of settings; expected the {CONFIG} of an autoencoder")
    kind = cfg.get("architecture")
    if kind not in get_args(SavedKind):
        raise InputError(f"{path}: architecture is {kind!r}; this version reads {', '.join(get_args(SavedKind))}")
    for key in ("d_in", "d_sae") + (("k",) if kind == "topk" else ()):
        if type(cfg.get(key)) is not int or cfg[key] < 1:
            raise InputError(f"{path}: {key} is {cfg.get(key)!r}; expected a positive integer")
    if kind == "topk" and cfg["k"] > cfg["d_sae"]:
        raise InputError(f"{path}: k is {cfg['k']}; expected at most d_sae, {cfg['d_sae']}")
    for key, right in {
        "normalize_activations": ("none", None, False),
        "reshape_activations": ("none", None),
        "activation_fn": ("relu", None),
        "activation_fn_str": ("relu", None),
        "finetuning_scaling_factor": (False, None),
    }.items():
        if cfg.get(key) not in right:
            raise InputError(f"{path}: {key} is {cfg[key]!r}; this version reads {right[0]!r}")
    return cast(SavedKind, kind), cfg.get("k", 0) if kind == "topk" else 0


def read_tensors(path: Path, names: tuple[str, ...]) -> Parameters:
    """Named tensors of a safetensors file, in float32; InputError if it is missing, damaged or lacks one."""
    try:
        tensors = load_file(path)
    except FileNotFoundError:
        raise InputError(f"missing file {path}") from None
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is damaged ({error})") from None
    missing = [name for name in names if name not in tensors]
    if missing:
        raise InputError(f"{path} has no {', '.join(missing)}; expected {', '.join(names)}")
    return {name: tensors[name].float() for name in names}


def shape_of(name: str, d_in: int, d_sae: int) -> tuple[int, ...]:
    """Shape of a tensor under SAELens's name."""
    return {"W_enc": (d_in, d_sae), "W_dec": (d_sae, d_in), "b_dec": (d_in,)}.get(name, (d_sae,))
