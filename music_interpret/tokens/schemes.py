"""From a scheme's name to the scheme: each module of this folder that has a `load` is one."""

import importlib
import pkgutil
from pathlib import Path

from music_interpret import tokens
from music_interpret.errors import unknown
from music_interpret.tokens.scheme import TokenScheme

NOT_SCHEMES = {"scheme", "schemes", "sequences", "concepts", "concept_table", "mmt_tables"}


def scheme_names() -> list[str]:
    """Names of the schemes, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(tokens.__path__) if module.name not in NOT_SCHEMES)


def load_scheme(name: str, folder: Path) -> TokenScheme:
    """The scheme of a name, from the tables in a folder; InputError if there is none of this name, or the tables are
    missing or damaged.
    """
    if name not in (known := scheme_names()):
        raise unknown("token scheme", name, known)
    return importlib.import_module(f"{tokens.__name__}.{name}").load(folder)
