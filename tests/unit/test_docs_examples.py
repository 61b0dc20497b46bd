"""Every example in a docstring of the packages that ship holds, as ``pytest --doctest-modules`` would run it."""

import doctest
import logging
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import structlog

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("pipeline", "connectors", "schemas")
    for path in (ROOT / package).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_in_the_docstrings_hold(module):
    result = doctest.testmod(import_module(module))
    assert result.attempted > 0
    assert result.failed == 0


def test_the_modules_that_a_reader_meets_first_have_examples():
    first = {f"pipeline.event.{name}" for name in ("instant", "money", "page_url", "parse", "recognise")}
    assert first <= set(MODULES)
