"""A pytest plugin: the order in which several test processes take the test files.

Files that wait for servers and child processes alternate with files that compute, so that the processes neither all
wait nor all compute at the same time. The quick files come last and fill the gaps at the end.
"""

from itertools import groupby
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1]
WAITING = ("acceptance", "faults", "integration")
QUICK = "unit"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts whole files; the tests of a file keep their order."""
    files = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
    waiting = [tests for name in WAITING for tests in files if _folder(tests) == name]
    computing = [tests for tests in reversed(files) if _folder(tests) not in (*WAITING, QUICK)]  # simulation first
    quick = [tests for tests in files if _folder(tests) == QUICK]
    items[:] = [test for tests in [*_alternating(waiting, computing), *quick] for test in tests]


def _folder(tests: list[pytest.Item]) -> str:
    path = tests[0].path
    return path.relative_to(FOLDER).parts[0] if path.is_relative_to(FOLDER) else ""


def _alternating(*lists: list[list[pytest.Item]]) -> list[list[pytest.Item]]:
    """Merges the lists so that each is spread evenly over the whole."""
    spread = [
        ((at + 0.5) / len(files), number, tests) for number, files in enumerate(lists) for at, tests in enumerate(files)
    ]
    return [tests for _, _, tests in sorted(spread, key=lambda place: place[:2])]
