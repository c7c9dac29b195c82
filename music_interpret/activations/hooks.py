"""Recording and replacing what modules put out, with hooks that always let go (after baukit's `Trace`)."""

import contextlib
from collections.abc import Callable, Iterator, Mapping

from torch import Tensor, nn


class _DeepestReached(Exception):
    """Ends a forward pass that has given all that was asked for."""


@contextlib.contextmanager
def record(modules: Mapping[int, nn.Module], *, stop: bool = True) -> Iterator[dict[int, Tensor]]:
    """Collect the outputs of `modules` during one forward pass.

    Args:
        modules: layer number → module whose output is wanted; numbers in the order of the forward pass.
        stop: leave the forward pass as soon as the last of them has run; the pass then returns nothing.

    Yields:
        A dict that the forward pass fills: layer number → output.

    Raises:
        RuntimeError: a module did not run.
    """
    outputs: dict[int, Tensor] = {}
    deepest = max(modules)

    def keep(number: int):
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            outputs[number] = output
            if stop and number == deepest:
                raise _DeepestReached

        return hook

    handles = [module.register_forward_hook(keep(number)) for number, module in modules.items()]
    try:
        with contextlib.suppress(_DeepestReached):
            yield outputs
        missing = sorted(set(modules) - set(outputs))
        if missing:
            raise RuntimeError(f"layers {missing} did not run in the forward pass")
    finally:
        for handle in handles:
            handle.remove()


@contextlib.contextmanager
def replaced(module: nn.Module, function: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Put `function` of a module's output in its place during forward passes.

    Args:
        module: whose output is replaced.
        function: from output to what later modules see, same shape.

    Raises:
        RuntimeError: the module did not run.
    """
    ran = False

    def hook(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        nonlocal ran
        ran = True
        return function(output)

    handle = module.register_forward_hook(hook)
    try:
        yield
        if not ran:
            raise RuntimeError("the module whose output is replaced did not run in the forward pass")
    finally:
        handle.remove()
