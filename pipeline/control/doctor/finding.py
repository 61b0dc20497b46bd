"""The result of one check."""

from typing import Literal, TypeAlias

import msgspec

Level: TypeAlias = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True):
    """One line of the report."""

    check: str
    level: Level
    detail: str
    action: str = ""
    """The operator's remedy; empty for ``ok``."""


def ok(check: str, detail: str) -> Finding:
    """Returns a finding that needs no action."""
    return Finding(check, "ok", detail)


def warn(check: str, detail: str, action: str) -> Finding:
    """Returns a finding that may become a failure."""
    return Finding(check, "warn", detail, action)


def fail(check: str, detail: str, action: str) -> Finding:
    """Returns a finding that prevents workers from running."""
    return Finding(check, "fail", detail, action)
