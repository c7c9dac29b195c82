"""Views are for any front end: they know nothing of a server or an address, and their types are those of the data."""

import json
import re
from pathlib import Path
from typing import NotRequired, get_origin, get_type_hints, is_typeddict

import pytest

from music_interpret import explorer
from music_interpret.explorer import shapes
from music_interpret.explorer.api import Explorer
from music_interpret.explorer.opened import Explored

STATIC = Path(explorer.__file__).parent / "static"
VIEWS = sorted(path.relative_to(STATIC).as_posix() for path in (STATIC / "views").rglob("*.js"))
SHAPES = {name: kind for name, kind in vars(shapes).items() if is_typeddict(kind)}
OF_A_PAGE = r"\bfetch\(|\bXMLHttpRequest\b|\blocation\b|\bhistory\b|\blocalStorage\b|getElementById"
INTERFACE = re.compile(r"^export interface (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r"^  (\w+)(\??): (.+)$", re.MULTILINE)
WORDS = {int: "number;", float: "number;", str: "string;", bool: "boolean;"}


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//.*$", "", text, flags=re.DOTALL | re.MULTILINE)


def interfaces(name):
    """Fields of each interface of a file: whether they are optional, and the first line of their type."""
    found = INTERFACE.findall((STATIC / name).read_text())
    return {kind: {field: (bool(optional), words) for field, optional, words in FIELD.findall(b)} for kind, b in found}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_knows_only_views_and_its_data(name):
    text = (STATIC / name).read_text()
    imports = re.findall(r'^(?:im|ex)port [^;]*?from "(.+?)";', text, re.MULTILINE)
    found = [(STATIC / name).parent.joinpath(path).resolve() for path in imports]
    assert all(path.is_relative_to(STATIC / "views") for path in found), imports
    assert not re.findall(OF_A_PAGE, without_comments(text))


@pytest.mark.parametrize("name", SHAPES)
def test_the_types_of_the_views_are_those_of_the_data(name):
    """Each field stands under its name, optional or not, and plain ones with their type."""
    written = interfaces("views/shapes.d.ts")[name]
    hints = get_type_hints(SHAPES[name], include_extras=True)
    assert {field: optional for field, (optional, _) in written.items()} == {
        field: get_origin(hint) is NotRequired for field, hint in hints.items()
    }
    for field, hint in get_type_hints(SHAPES[name]).items():
        assert written[field][1] == WORDS.get(hint, written[field][1]), field


def test_the_types_of_the_page_are_those_of_the_answers(labelled_module):
    api = Explorer(Explored.open("s/e"))
    kinds = interfaces("views/shapes.d.ts") | interfaces("types.d.ts")
    feature = json.loads(api.feature(next(latent for latent, name in api.explored.run.names.items() if name["name"])))
    compared, run, song = (
        json.loads(api.compare("s/f/layer_001")),
        json.loads(api.run()),
        json.loads(api.song_page("3")),
    )
    for kind, answer in {
        "Name": feature["name"],
        "Own": feature["own"],
        "Run": run,
        "SetLevel": run["set_level"][0],
        "LatentColumns": json.loads(api.latents()),
        "Songs": json.loads(api.songs()),
        "Song": song,
        "Roll": song["roll"],
        "Track": json.loads(api.tracks("3", "5"))["tracks"][0],
        "Strip": json.loads(api.strips("3", "scale degree"))["strips"][0],
        "Concept": json.loads(api.concepts())[0],
        "OtherRun": json.loads(api.runs())[0],
        "Compared": compared,
    }.items():
        assert set(kinds[kind]) == set(answer), kind
    assert set(kinds["LabelRow"]) <= set(feature["labels"][0])
    api.close()
