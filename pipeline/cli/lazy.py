"""Commands that are imported when they are run: one command must not wait for the libraries of the others."""

from importlib import import_module
from typing import Any, ClassVar

import typer.main
from typer.core import TyperCommand, TyperGroup


class Deferred(TyperCommand):
    """The name and the first lines of help of a command, or of a group of commands, that is not imported yet."""

    def __init__(self, name: str, help_line: str, module: str = "") -> None:
        super().__init__(name, help=help_line)
        self._module = module or f"pipeline.cli.{name}"

    def load(self) -> Any:
        """The command itself: the one of this name in the module's ``app``, else that app as a group."""
        group = typer.main.get_group(import_module(self._module).app)
        group.name = self.name
        return group.commands.get(self.name or "", group)


class LazyGroup(TyperGroup):
    """A group that imports a command's module when the command is run."""

    deferred: ClassVar[tuple[Deferred, ...]]

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {command.name or "": command for command in self.deferred}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that the arguments name, imported."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Deferred) else command, rest

    def load_all(self) -> None:
        """Import every command, for readers of the whole command line."""
        self.commands = {command.name or "": command.load() for command in self.deferred}
