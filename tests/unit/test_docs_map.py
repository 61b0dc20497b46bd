"""The map in ``pipeline/__init__.py`` is true: what it names is there, and what is there is on it."""

import importlib
import pkgutil
import re

import pytest

import pipeline

MAP = pipeline.__doc__ or ""
STEPS = re.findall(r"^(\d+)\. ``([\w.]+)``: \S", MAP, re.MULTILINE)
BESIDE = re.findall(r"``(pipeline\.[\w.]+)``: \S", MAP.partition("Beside the path")[2])
CORE = ["event", "identity", "profile", "score", "trigger", "route"]


def test_the_path_of_an_event_has_ten_numbered_steps() -> None:
    assert [number for number, _ in STEPS] == [str(number) for number in range(1, 11)]
    assert len({module for _, module in STEPS}) == 10


@pytest.mark.parametrize("module", [module for _, module in STEPS] + BESIDE)
def test_every_module_on_the_map_exists_and_has_a_docstring(module: str) -> None:
    assert importlib.import_module(module).__doc__


def test_the_core_is_passed_in_the_order_in_which_it_may_import() -> None:
    passed = [module.split(".")[1] for _, module in STEPS]
    assert [package for package in passed if package in CORE] == CORE


def test_every_package_and_module_of_the_pipeline_is_on_the_map() -> None:
    named = {
        module.split(".")[1] for module in [module for _, module in STEPS] + BESIDE if module.startswith("pipeline.")
    }
    assert named == {iter_module.name for iter_module in pkgutil.iter_modules(pipeline.__path__)}
