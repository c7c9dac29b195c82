"""Write the tables of all built-in concepts into docs/concepts.md.

python3 scripts/list_concepts.py
"""

from pathlib import Path

from music_interpret.files import write_text
from music_interpret.music.concepts.concept import GROUPS, Concept
from music_interpret.tokens.concepts import library
from music_interpret.tokens.mmt import MMTScheme
from music_interpret.tokens.mmt_tables import mmt_encoding

PAGE = Path(__file__).parents[1] / "docs" / "concepts.md"
BEGIN, END = "<!-- concepts: written by scripts/list_concepts.py -->", "<!-- end of concepts -->"
SHOWN = 6


def values_of(concept: Concept) -> str:
    """The values in words, the first ones of many."""
    if not concept.values:
        return "yes"
    names = ", ".join(concept.values[:SHOWN])
    return names if len(concept.values) <= SHOWN else f"{names}, … ({len(concept.values)})"


def tables() -> str:
    """A table for each group."""
    scheme = MMTScheme.from_json(mmt_encoding(), "the authors' table")
    blocks = []
    for group in GROUPS:
        mine = [concept for concept in library(scheme) if concept.group == group]
        if mine:
            lines = [
                f"### {group}",
                "",
                "| concept | leakage | values | definition | reference |",
                "| --- | --- | --- | --- | --- |",
            ]
            for one in mine:
                cells = (one.name, one.leakage, values_of(one), one.definition, one.reference)
                lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
            blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def with_tables(page: str) -> str:
    """The page with its tables made again."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    write_text(PAGE, with_tables(PAGE.read_text(encoding="utf-8")))
