"""The page of concepts says what the program does."""

import importlib.util
from pathlib import Path

from music_interpret.tokens.concepts import library
from music_interpret.tokens.mmt import MMTScheme
from music_interpret.tokens.mmt_tables import mmt_encoding

SCRIPT = Path(__file__).parents[2] / "scripts" / "list_concepts.py"


def test_the_page_lists_the_concepts_as_they_are():
    spec = importlib.util.spec_from_file_location("list_concepts", SCRIPT)
    assert spec and spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = script.PAGE.read_text(encoding="utf-8")
    assert script.with_tables(page) == page, "run: python3 scripts/list_concepts.py"
    concepts = library(MMTScheme.from_json(mmt_encoding(), "the authors' table"))
    assert all(concept.definition and concept.reference for concept in concepts)
    names = [concept.name for concept in concepts]
    assert len(set(names)) == len(names)
