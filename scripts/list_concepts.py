"""Write the tables of all built-in concepts, and of their agreement with experts, into docs/concepts.md.

python3 scripts/list_concepts.py
"""

from pathlib import Path

from music_interpret.files import write_text
from music_interpret.music.concepts.concept import GROUPS, Concept
from music_interpret.music.concepts.reliability import measured_concepts, reliability
from music_interpret.tokens.concepts import library
from music_interpret.tokens.mmt import MMTScheme
from music_interpret.tokens.mmt_tables import mmt_encoding

PAGE = Path(__file__).parents[1] / "docs" / "concepts.md"
BEGIN, END = "<!-- concepts: written by scripts/list_concepts.py -->", "<!-- end of concepts -->"
BEGIN_AGREEMENT, END_AGREEMENT = (
    "<!-- agreement: written by scripts/list_concepts.py from reliability.json -->",
    "<!-- end of agreement -->",
)
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


def agreement() -> str:
    """A table of concepts by corpus, with the interval of each figure."""
    names = measured_concepts()
    corpora = {agreement.corpus: agreement.notes for name in names for agreement in reliability(name)}
    lines = [f"| concept | measure | {' | '.join(corpora)} |", f"| --- | --- |{' ---: |' * len(corpora)}"]
    for name in names:
        found = {agreement.corpus: agreement for agreement in reliability(name)}
        cells = [
            f"{found[corpus].value:.2f} ({found[corpus].interval[0]:.2f}–{found[corpus].interval[1]:.2f})"
            if corpus in found
            else ""
            for corpus in corpora
        ]
        lines.append(f"| {name} | {next(iter(found.values())).measure} | {' | '.join(cells)} |")
    return "\n".join(lines)


def with_tables(page: str) -> str:
    """The page with its tables made again."""
    for begin, end, table in ((BEGIN, END, tables()), (BEGIN_AGREEMENT, END_AGREEMENT, agreement())):
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n\n{table}\n\n{end}{rest.partition(end)[2]}"
    return page


if __name__ == "__main__":
    write_text(PAGE, with_tables(PAGE.read_text(encoding="utf-8")))
