"""``stitchline config show``: every setting, its value, where that comes from, and what it is for.

Exit codes: 0 shown, 1 a setting has a value it cannot have.
"""

from typing import Annotated, Any

import msgspec
import typer
from pydantic import SecretStr
from rich.table import Table

from pipeline.cli.explained import explained
from pipeline.cli.printed import print_json
from pipeline.cli.screen import screen
from pipeline.obs.redact import REDACTED, Redactor
from pipeline.settings import Settings, variable

EXAMPLES = """\b
Exit codes: 0 shown; 1 a setting has a value it cannot have.
\b
Examples:
  stitchline config show
  STITCHLINE_PARTITIONS=16 stitchline config show --json
"""

app = typer.Typer(
    no_args_is_help=True, help="The settings of this process. Rules are shown by `stitchline rules show`."
)


class Setting(msgspec.Struct):
    """A setting as ``show`` tells it."""

    name: str
    variable: str
    value: Any
    """Secrets are masked, and so is a password inside a URL."""
    origin: str
    """``environment`` or ``default``."""
    description: str


@app.callback()
def _config() -> None:
    """The settings of this process."""


@app.command(epilog=EXAMPLES)
def show(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show every setting: its value (secrets masked), its origin, and its meaning."""
    with explained():
        settings = described(Settings())
    if as_json:
        print_json(settings, indent=2)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("variable", "value", "origin", "what it is for"):
        table.add_column(column, header_style="bold", overflow="fold")
    for setting in settings:
        table.add_row(setting.variable, str(setting.value), setting.origin, setting.description)
    screen(markup=False).print(table)


def described(settings: Settings) -> list[Setting]:
    """Every setting, in the order they are declared."""
    text, rows = Redactor().text, []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = REDACTED if value.get_secret_value() else ""
        elif not isinstance(value, bool | int | float):
            value = "" if value is None else text(str(value))
        origin = "environment" if name in settings.model_fields_set else "default"
        rows.append(Setting(name, variable(name), value, origin, field.description or ""))
    return rows
