"""Suggestions for unknown names in error messages."""

import difflib
from collections.abc import Iterable


def did_you_mean(written: str, known: Iterable[str]) -> str:
    """Returns advice for an unknown name: the closest known name, or the list of known names if none is close."""
    names = sorted(set(known))
    if not names:
        return "there is none to name yet"
    near = difflib.get_close_matches(written.lower(), {name.lower() for name in names}, n=1, cutoff=0.6)
    if near:
        return f"did you mean {next(name for name in names if name.lower() == near[0])}?"
    return f"write {', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else f"write {names[0]}"
