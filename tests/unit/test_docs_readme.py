"""What the documents say can be typed and is there: commands, options, settings, links."""

import functools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import SecretStr

from pipeline.cli import app
from pipeline.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "deploy/docs"
RULES_PAGE = (DOCS / "rules.md").read_text(encoding="utf-8")
MAX_README_LINES = 130
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted(DOCS.glob("*.md")),
    *sorted((ROOT / "deploy/runbooks").glob("*.md")),
]
LINKING = [*DOCUMENTS, *sorted((ROOT / "deploy/adr").glob("*.md"))]
TYPEWRITTEN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")


def typed_in(path: Path) -> Iterator[str]:
    """Command lines in code blocks, and commands in running text."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line.strip() for language, block in blocks if language == "sh" for line in block.splitlines()]
    prose = re.sub(r"^```\w+\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    for line in [*lines, *TYPEWRITTEN.findall(prose)]:
        if "stitchline" not in line:
            continue  # what a page quotes beside commands need not be a line of a shell
        words = shlex.split(line, comments=True)
        while words and ASSIGNMENT.fullmatch(words[0]):
            words = words[1:]
        if words[:1] == ["stitchline"]:
            yield shlex.join(words[1:])


@functools.cache
def whole_command_line() -> Any:
    """The command line with every command imported."""
    command: Any = typer.main.get_command(app)
    command.load_all()
    return command


COMMANDS = sorted({(path.name, line) for path in DOCUMENTS for line in typed_in(path)})


@pytest.mark.parametrize(("document", "line"), COMMANDS, ids=lambda value: value)
def test_a_command_of_the_documents_exists_with_its_options(document: str, line: str) -> None:
    words = [word for word in shlex.split(line) if word != "&"]
    command = whole_command_line()
    path = "stitchline"
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        name = words.pop(0)
        assert name in command.commands, f"{document}: there is no {path} {name}"
        command, path = command.commands[name], f"{path} {name}"
    if hasattr(command, "commands") and not words:  # a group spoken of as a whole
        return
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= options, f"{document}: {path}"
    takes_words = any(parameter.param_type_name == "argument" for parameter in command.params)
    assert takes_words or not words or words[0].startswith("-"), f"{document}: {path} takes no {words[:1]}"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= MAX_README_LINES


def leaves(command: Any, path: str = "stitchline") -> Iterator[str]:
    """Every command that can be typed, but for the groups."""
    if not hasattr(command, "commands"):
        yield path
        return
    for name, inner in command.commands.items():
        yield from leaves(inner, f"{path} {name}")


def test_every_command_is_in_one_of_the_documents() -> None:
    named = {f"stitchline {line}" for _, line in COMMANDS}
    every = list(leaves(whole_command_line()))
    assert [path for path in every if not any(f"{line} ".startswith(f"{path} ") for line in named)] == []


def test_a_segment_the_rules_page_shows_is_shipped() -> None:
    shipped = (ROOT / "pipeline/rules/default/segments.yaml").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```$", RULES_PAGE, re.MULTILINE | re.DOTALL)
    assert all(block in shipped for block in blocks[1:])


def settings_table() -> str:
    """The table as it should stand in the settings page."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        shown = (
            default.get_secret_value() if isinstance(default, SecretStr) else "" if default is None else str(default)
        )
        code = f"`{shown}`" if shown else ""
        rows.append(f"| `STITCHLINE_{name.upper()}` | {code} | {field.description} |")
    return "\n".join(rows)


def test_the_settings_table_is_the_settings_model() -> None:
    page = (DOCS / "settings.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- settings -->\n")[2].partition("\n<!-- /settings -->")[0]
    assert shown == settings_table(), f"put this between the two marks:\n\n{settings_table()}\n"


@pytest.mark.parametrize("path", LINKING, ids=lambda path: path.stem)
def test_links_to_files_hold(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", LINKING, ids=lambda path: path.stem)
def test_the_make_targets_of_the_documents_exist(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


def test_the_rules_the_rules_page_shows_are_the_rules_shipped() -> None:
    shipped = (ROOT / "pipeline/rules/default/triggers.yaml").read_text(encoding="utf-8")
    block = re.search(r"^```yaml\n(.*?)^```$", RULES_PAGE, re.MULTILINE | re.DOTALL)
    assert block is not None
    bare = [line.partition("#")[0].rstrip() for line in block[1].splitlines()]
    assert [line for line in bare if line] == [
        line for line in shipped.splitlines() if line and not line.startswith("#")
    ]
