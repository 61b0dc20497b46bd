import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize("module", ["instant", "money", "page_url", "parse", "recognise"])
def test_the_examples_in_the_docstring_hold(module):
    found = doctest.testmod(import_module(f"pipeline.event.{module}"))
    assert found.attempted > 0
    assert found.failed == 0
