"""The vendored assets are those of their releases, and pages load nothing else."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

import pipeline.serve.console

CONSOLE = Path(pipeline.serve.console.__file__).parent
STATIC, TEMPLATES = CONSOLE / "static", CONSOLE / "templates"
VENDORED: dict[str, Any] = json.loads((CONSOLE / "vendored.json").read_text())
OURS = {"console.css", "console.js", "icon.svg"}
LICENCES = {"0BSD", "MIT"}


def test_every_asset_is_ours_or_named_with_release_and_licence() -> None:
    named = [name for package in VENDORED.values() for name in package["files"]]
    assert sorted([*named, *OURS]) == sorted(path.name for path in STATIC.iterdir())
    assert all(package["licence"] in LICENCES and package["version"] for package in VENDORED.values())


@pytest.mark.parametrize("package", VENDORED)
def test_a_vendored_file_has_the_bytes_of_its_release(package: str) -> None:
    for name, facts in VENDORED[package]["files"].items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == facts["sha256"], name


@pytest.mark.parametrize("path", [*sorted(TEMPLATES.iterdir()), STATIC / "console.css"], ids=lambda path: path.name)
def test_nothing_is_inline_and_nothing_comes_from_other_hosts(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:|hx-on", text)
    assert not re.search(r"""(?:src|href|action|url\()\s*=?\s*["']?(?:https?:)?//""", text)
    assert "|safe" not in text
    assert "autoescape false" not in text
