"""The page of concepts says what the program does."""

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "list_concepts.py"


def test_the_page_lists_the_concepts_as_they_are():
    spec = importlib.util.spec_from_file_location("list_concepts", SCRIPT)
    assert spec and spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = script.PAGE.read_text(encoding="utf-8")
    assert script.with_tables(page) == page, "run: python3 scripts/list_concepts.py"
    assert all(concept.definition and concept.reference for concept in script.BUILT_IN)
    names = [concept.name for concept in script.BUILT_IN]
    assert len(set(names)) == len(names)
