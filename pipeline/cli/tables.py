"""The table that all commands print: a title, no lines, dim headers."""

from collections.abc import Collection

from rich.table import Table


def titled_table(title: str, *columns: str, right: Collection[int] = ()) -> Table:
    """Returns an empty table with a title. ``right``: the places of columns that are aligned to the right."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for place, column in enumerate(columns):
        table.add_column(
            column, style="", header_style="dim", overflow="fold", justify="right" if place in right else "left"
        )
    return table
