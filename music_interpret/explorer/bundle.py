"""Our ES modules joined into one text with no import, for the report and the notebook, and data put into HTML safely.

No general bundler: it knows the few forms that `static/` is written in, and refuses every other.
"""

import base64
import json
import re
from importlib import resources
from pathlib import PurePosixPath
from typing import Any

from music_interpret import files

IMPORT = re.compile(r'^import\s*\{([^}]*)\}\s*from\s*"([^"]+)";$', re.MULTILINE)
PASSED_ON = re.compile(r'^export\s*\{([^}]*)\}\s*from\s*"([^"]+)";$', re.MULTILINE)
EXPORT = re.compile(r"^export\s+(?=(?:async\s+)?(?:function|class|const|let)\b)", re.MULTILINE)
DECLARED = re.compile(r"^(?:async\s+)?(?:function|class|const|let|var)\s+(\{[^}]*\}|\[[^\]]*\]|[\w$]+)", re.MULTILINE)
DOCUMENTATION = re.compile(r"^ */\*\*.*?\*/\n", re.MULTILINE | re.DOTALL)
LEFT_OVER = re.compile(r"^\s*(import\b(?!\s*\()|export\b(?!\s+default\b)).*$|\bimport\s*\(", re.MULTILINE)


def static(name: str) -> str:
    """A file of `static/`, as text."""
    return (resources.files("music_interpret.explorer") / "static" / name).read_text(encoding="utf-8")


def joined(entry: str) -> str:
    """A module and all that it imports, as the text of one module; an `export default` of the entry stays, and comments
    that only say types and what functions do are left out.

    Args:
        entry: its path in `static/`.

    Raises:
        ValueError: a form of import or export that is not known here, a name that two modules declare, or a circle.
    """
    parts: dict[str, str] = {}
    declared: dict[str, str] = {}
    _add(entry, parts, declared, ())
    return "\n".join(parts.values())


def _add(name: str, parts: dict[str, str], declared: dict[str, str], above: tuple[str, ...]) -> None:
    if name in above:
        raise ValueError(f"{' imports '.join([*above, name])}: a circle")
    if name in parts:
        return
    text = DOCUMENTATION.sub("", static(name))
    for names, source in [*IMPORT.findall(text), *PASSED_ON.findall(text)]:
        if not source.startswith("."):
            raise ValueError(f"{name} imports {source!r}, which is not one of our modules")
        if " as " in names:
            raise ValueError(f"{name} imports under another name: {names.strip()}")
        _add(_resolved(name, source), parts, declared, (*above, name))
    text = EXPORT.sub("", PASSED_ON.sub("", IMPORT.sub("", text)))
    if (left := LEFT_OVER.search(text)) or (above and re.search(r"^export\b", text, re.MULTILINE)):
        raise ValueError(f"{name} cannot be joined: {left.group().strip() if left else 'it has an export default'}")
    for match in DECLARED.findall(text):
        for word in re.findall(r"[\w$]+", match):
            if word in declared:
                raise ValueError(f"{declared[word]} and {name} both declare {word}")
            declared[word] = name
    parts[name] = text.strip() + "\n"


def _resolved(name: str, source: str) -> str:
    """A path in `static/` from one that is relative to a module's folder."""
    parts: list[str] = []
    for part in (*PurePosixPath(name).parent.parts, *PurePosixPath(source).parts):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def to_json(value: Any) -> str:
    """Compact JSON of what the pages' functions give: arrays are lists, floats have five decimals, NaN is null."""
    return json.dumps(_short(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _short(value: Any) -> Any:
    plain = json.loads(
        json.dumps(value, default=lambda array: array.tolist()), parse_float=lambda t: round(float(t), 5)
    )
    return files.plain(plain)


def script_json(value: Any) -> str:
    """JSON that may stand in an HTML `<script type="application/json">`: nothing in it ends the element."""
    return to_json(value).replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def script_text(text: str) -> str:
    """A script or style sheet of our own that may stand in an HTML element; ValueError if something in it ends that."""
    if re.search(r"</(?:script|style)|<!--", text, re.IGNORECASE):
        raise ValueError("this text cannot stand in an HTML element: it has </script, </style or <!-- in it")
    return text


def data_uri(content: bytes, kind: str) -> str:
    """Bytes as an address of their own."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
