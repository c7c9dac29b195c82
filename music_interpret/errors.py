"""What goes wrong because of what the user gave us, reported in one line."""


class InputError(Exception):
    """Bad input: the message says what was wrong and what was expected.

    The command line prints it as one line on stderr and exits with 2; a library caller catches it like any exception.
    """


def unknown(kind: str, value: object, known: list[str], where: object = None) -> InputError:
    """An InputError for a name that is not among the known ones, which it lists."""
    place = f" in {where}" if where is not None else ""
    names = ", ".join(known) if known else "none"
    return InputError(f"unknown {kind} {str(value)!r}{place}; there are: {names}")
