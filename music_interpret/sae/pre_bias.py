"""Between the two conventions of what an encoder reads: x, as here, or x − b_dec, as several other libraries have it.

    (x − b_dec) W + b′ = x W + b        with b′ = b + b_dec W

Each direction is computed in float64 and rounded to float32 once, which moves a bias by at most half a unit in its last
place. For a gated encoder the magnitude's bias takes exp(r_mag) times as much as the gate's.
"""

from torch import Tensor

from music_interpret.sae.parameters import Parameters

BIASES = ("b_enc", "b_gate", "b_mag")


def with_pre_bias(parameters: Parameters) -> Parameters:
    """The same encoder's biases for a library that takes b_dec off the input."""
    return shifted(parameters, parameters["b_dec"])


def without_pre_bias(parameters: Parameters) -> Parameters:
    """The same encoder's biases for raw input, given those of a library that takes b_dec off first."""
    return shifted(parameters, -parameters["b_dec"])


def shifted(parameters: Parameters, shift: Tensor) -> Parameters:
    """The encoder that computes at x what the given one computes at x + shift, (d_in,)."""
    offset = shift.double() @ parameters["W_enc"].double()
    offsets: dict[str, Tensor] = {"b_enc": offset, "b_gate": offset}
    if "b_mag" in parameters:
        offsets["b_mag"] = offset * parameters["r_mag"].exp()
    moved = {name: (parameters[name] + offsets[name]).float() for name in BIASES if name in parameters}
    return parameters | moved
