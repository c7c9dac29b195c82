"""The plan of the house holds: imports run one way, and nothing that can run code is unpickled.

base (errors, files, paths …) ← music ← tokens ← models ← activations ← sae ← features ← interventions ← runs ← explorer
← stages ← cli
"""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "music_interpret"
BASE = ("__init__", "errors", "files", "paths", "config", "interrupts", "memory", "provenance", "own_code")
ROOMS = ("music", "tokens", "models", "activations", "sae", "features", "interventions", "runs", "explorer")
LAYERS = ("base", *ROOMS, "stages", "cli", "__main__")
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def source_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    """music_interpret.music.notes for music/notes.py; a room's __init__ has the room's name."""
    parts = [PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in source_files()}


def layer_of(module: str) -> str:
    parts = module.split(".")
    first = parts[1] if len(parts) > 1 else "__init__"
    if first in BASE:
        return "base"
    if first in (*ROOMS, "cli", "__main__"):
        return first
    assert len(parts) == 2, f"{module} is in a room this test does not know; give it a place in ROOMS"
    return "stages"


def parse(path: Path) -> ast.Module:
    """The file's syntax tree without its `if __name__ == "__main__":` block, where a stage calls the command line, and
    its `if TYPE_CHECKING:` block, which never runs.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    left_out = ("__name__ == '__main__'", "TYPE_CHECKING")
    tree.body = [node for node in tree.body if not (isinstance(node, ast.If) and ast.unparse(node.test) in left_out)]
    return tree


def imports(tree: ast.AST) -> Iterator[str]:
    """Full names of all modules imported anywhere in the tree, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}; write the full name"
            assert node.module
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ([name for name in inside if name in MODULES] or [node.module])


def own_imports(tree: ast.AST) -> set[str]:
    return {name for name in imports(tree) if name.split(".")[0] == PACKAGE.name}


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module):
    here = LAYERS.index(layer_of(module))
    upward = [name for name in own_imports(parse(MODULES[module])) if LAYERS.index(layer_of(name)) > here]
    assert not upward, f"{module} ({LAYERS[here]}) imports what lies above it: {upward}"


def test_imports_make_no_circle():
    graph = {module: own_imports(parse(path)) - {PACKAGE.name} for module, path in MODULES.items()}
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("module", [m for m in MODULES if layer_of(m) in ("music", "tokens")])
def test_music_and_tokens_do_not_name_torch(module):
    assert "torch" not in {name.split(".")[0] for name in imports(parse(MODULES[module]))}


def loads_torch(code: str) -> bool:
    code = f"import sys\n{code}\nsys.exit('torch' in sys.modules)"
    return subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, cwd=PACKAGE.parent).returncode != 0


def test_music_and_tokens_load_no_torch():
    modules = [module for module in MODULES if layer_of(module) in ("base", "music", "tokens")]
    assert not loads_torch(f"import {', '.join(modules)}")


def test_help_loads_no_torch():
    assert not loads_torch(
        "import contextlib, music_interpret.cli as cli\nwith contextlib.suppress(SystemExit): cli.main(['--help'])"
    )


@pytest.mark.parametrize("path", source_files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_is_unpickled(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not PICKLES & {name.split(".")[0] for name in imports(tree)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        words = {word.arg: ast.unparse(word.value) for word in node.keywords}
        assert words.get("allow_pickle", "False") == "False", f"{path}:{node.lineno}"
        if ast.unparse(node.func) == "torch.load":
            assert words.get("weights_only") == "True", f"{path}:{node.lineno}"


def test_what_the_package_offers():
    import music_interpret
    from music_interpret.runs import run
    from music_interpret.sae import autoencoder

    assert music_interpret.SparseAutoencoder is autoencoder.SparseAutoencoder
    assert music_interpret.open_run is run.open_run and music_interpret.Run is run.Run
    assert set(music_interpret.__all__) == {"Run", "SparseAutoencoder", "__version__", "open_run"}
    with pytest.raises(AttributeError, match="module 'music_interpret' has no attribute 'Autoencoder'"):
        _ = music_interpret.Autoencoder
