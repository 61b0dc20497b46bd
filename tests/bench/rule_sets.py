"""The rules that workloads run under."""

from pathlib import Path
from typing import Final

RULES: Final[dict[str, Path | None]] = {
    "small": Path(__file__).with_name("rules"),
    "default": None,
}
"""Name to directory; None: the shipped rules."""
