"""Recording and replacing what modules put out, with hooks that always let go (after baukit's `Trace`)."""

import contextlib
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, TypeVar

from torch import Tensor, nn

K = TypeVar("K", bound=Hashable)
Change = Callable[[Tensor], Tensor]
"""From a module's output to what later modules see, same shape."""


class _AllRecorded(Exception):
    """Ends a forward pass that has given all that was asked for."""


@contextlib.contextmanager
def record(modules: Mapping[K, nn.Module], *, stop: bool = True) -> Iterator[dict[K, Tensor]]:
    """Collect the outputs of `modules` during one forward pass.

    Args:
        modules: name → module whose output is wanted.
        stop: leave the forward pass as soon as all of them have run; the pass then returns nothing.

    Yields:
        A dict that the forward pass fills: name → output.

    Raises:
        RuntimeError: a module did not run.
    """
    outputs: dict[K, Tensor] = {}

    def keep(name: K) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            outputs[name] = output
            if stop and len(outputs) == len(modules):
                raise _AllRecorded

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    try:
        with contextlib.suppress(_AllRecorded):
            yield outputs
        missing = [str(name) for name in modules if name not in outputs]
        if missing:
            raise RuntimeError(f"{', '.join(missing)} did not run in the forward pass")
    finally:
        for handle in handles:
            handle.remove()


@contextlib.contextmanager
def replaced(modules: Mapping[K, tuple[nn.Module, Change]]) -> Iterator[None]:
    """Put a function of a module's output in its place during forward passes.

    Args:
        modules: name → module, and the function.

    Raises:
        RuntimeError: a module did not run.
    """
    ran: set[K] = set()

    def change(name: K, function: Change) -> Callable[[nn.Module, Any, Tensor], Tensor]:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
            ran.add(name)
            return function(output)

        return hook

    handles = [module.register_forward_hook(change(name, function)) for name, (module, function) in modules.items()]
    try:
        yield
        missing = [str(name) for name in modules if name not in ran]
        if missing:
            raise RuntimeError(f"{', '.join(missing)} did not run in the forward pass")
    finally:
        for handle in handles:
            handle.remove()
