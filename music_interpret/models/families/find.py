"""From a model's folder to the model: by the family that recognises it, or by a loader of the user's own."""

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from music_interpret import files, own_code, paths
from music_interpret.errors import InputError
from music_interpret.models import families
from music_interpret.models.loaded import LoadedModel

NOT_FAMILIES = {"find"}
WHERE = "below the working directory, outside data/, models/ and reports/"


class Loader(NamedTuple):
    """A function in a Python file of the user's own that loads a model: `load(folder, notes_folder) -> LoadedModel`."""

    path: Path
    """The file."""
    function: str
    """The function's name."""

    @classmethod
    def of(cls, text: str) -> "Loader":
        """From `my_model.py:load`; InputError for anything else, and for a file that later stages would not run."""
        path, _, function = text.rpartition(":")
        if not path.endswith(".py") or not function.isidentifier():
            raise InputError(f"--loader is {text!r}; expected a Python file and a function, as in my_model.py:load")
        if not _is_own(Path(path)):
            raise InputError(f"--loader is {text!r}; expected a file {WHERE}")
        return cls(Path(path), function)

    @classmethod
    def noted(cls, note: dict[str, Any], folder: Path) -> "Loader":
        """The loader that an activation store was extracted with.

        A store may come from someone else, so the file is run only if it is where the user's own files are, and has the
        content that was noted.

        Args:
            note: the store's note, see `note`.
            folder: the store's.

        Raises:
            InputError: the file is missing, elsewhere, or has changed.
        """
        path = Path(str(note.get("file")))
        if not _is_own(path) or not path.is_file() or files.sha256(path) != note.get("sha256"):
            raise InputError(
                f"{folder} was extracted with the loader {path}, which is missing here, has changed, or is not "
                f"{WHERE}; extract again with --loader and --overwrite"
            )
        return cls(path, str(note.get("function")))

    def note(self) -> dict[str, str]:
        """What a store notes of it."""
        return {"file": str(self.path), "function": self.function, "sha256": files.sha256(self.path)}

    def load(self, folder: Path, notes_folder: Path) -> LoadedModel:
        """Run the file and call the function; InputError if either fails, or gives no LoadedModel."""
        function = getattr(own_code.run_file(self.path, "loader"), self.function, None)
        if not callable(function):
            raise InputError(f"{self.path} has no function {self.function}; expected load(folder, notes_folder)")
        try:
            model = function(folder, notes_folder)
        except InputError:
            raise
        except Exception as error:  # whatever the user's code and the libraries it calls raise
            where = own_code.line(own_code.line_of(error, str(self.path)))
            raise InputError(f"loader {self.path}{where} failed: {own_code.in_words(error)}") from error
        if not isinstance(model, LoadedModel):
            kind = type(model).__name__
            raise InputError(f"loader {self.path} gave {kind}; expected a music_interpret.models.loaded.LoadedModel")
        return model


def _is_own(path: Path) -> bool:
    """Whether a file is where one's own are, and not in a folder that downloads go into."""
    path, home = path.resolve(), paths.home().resolve()
    inside = any(path.is_relative_to(root) for root in (Path.cwd().resolve(), home))
    return inside and not any(path.is_relative_to(home / name) for name in ("data", "models", "reports"))


def family_names() -> list[str]:
    """Names of the families, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(families.__path__) if module.name not in NOT_FAMILIES)


def find_family(folder: Path) -> ModuleType:
    """The family whose layout a model's folder has; InputError if none recognises it."""
    for name in family_names():
        module = importlib.import_module(f"{families.__name__}.{name}")
        if module.recognises(folder):
            return module
    raise InputError(
        f"{folder} holds no model of a known family; expected the files of one of: {', '.join(family_names())}"
    )


def load_model(folder: Path, notes_folder: Path, loader: Loader | None = None) -> LoadedModel:
    """Load a model.

    Args:
        folder: `models/<dataset>/<data_repr>`.
        notes_folder: where the tables of its token scheme are: the data set's `notes/`, or an activation store.
        loader: a function of the user's own; without one, the family that recognises the folder loads it.

    Raises:
        InputError: no family recognises it, or a file is missing or damaged.

    Examples:
        >>> model = load_model(Path("models/sod/ape"), Path("data/base/sod/notes"))
        >>> model.d_model, [site.name for site in model.sites][:4]
        (64, ['resid_pre.0', 'attn_out.0', 'resid_mid.0', 'mlp_out.0'])
    """
    if loader is not None:
        return loader.load(folder, notes_folder)
    return find_family(folder).load(folder, notes_folder)
