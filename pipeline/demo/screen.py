"""The demo on a terminal: one picture, redrawn in place."""

from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from pipeline.demo.demo_state import SLOTS, DemoState
from pipeline.event.model import CHANNELS
from pipeline.printable import printable_values
from pipeline.query.lead import display_name, is_duplicate, reach, reasons, story

BLOCKS: Final = " ▁▂▃▄▅▆▇█"
STEPS: Final = len(BLOCKS) - 1
BAR: Final = 24
ABOVE_LEADS: Final = 21
"""Lines of the picture without the leads."""
LINES_A_LEAD: Final = 2


class ScreenDisplay:
    """Draws on a terminal. Use as a context manager; the last picture stays on the terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        limit = max(2, min(8, (console.height - ABOVE_LEADS) // LINES_A_LEAD))
        self._leads: deque[RenderableType] = deque(maxlen=limit)
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def step(self, text: str) -> None:
        """Shows the current step of the preparation, with a spinner."""
        self._live.auto_refresh = True
        self._live.update(Padding(Spinner("dots", Text(text)), (1, 2)), refresh=True)

    def lead(self, action: dict[str, Any], state: DemoState) -> None:
        """Adds the lead on top of the list."""
        self._leads.appendleft(lead_lines(action, state.clock, self._console.width - 4))

    def show(self, state: DemoState) -> None:
        """Draws the state."""
        self._live.update(drawn(state, list(self._leads)), refresh=True)


def drawn(state: DemoState, leads: Sequence[RenderableType]) -> RenderableType:
    """Returns the whole picture."""
    title = Text.assemble(("Stitchline", "bold"), ("  a shop day on Apache Kafka", "dim"))
    time_of_day = Text.assemble((state.clock, "bold"), (f"   {state.sent:,} of {state.events:,} events", "dim"))
    head = Table.grid(expand=True)
    head.add_column()
    head.add_column(justify="right")
    head.add_row(title, time_of_day)
    bar = ProgressBar(total=1.0, completed=state.day_share, complete_style="cyan", finished_style="cyan")
    title_of_leads = Text(f"Leads  {state.counts.leads}", style="bold")
    return Padding(
        Group(head, bar, Text(), _stitching(state), Text(), _details(state), Text(), title_of_leads, *leads),
        (1, 2, 0, 2),
    )


def _stitching(state: DemoState) -> Table:
    """Returns two curves on one scale: identifiers seen, and the customers they were stitched to."""
    scale = max([state.max_identifiers, *state.identifier_curve, 1])
    table = Table.grid(padding=(0, 2))
    table.add_column(vertical="bottom", min_width=12)
    table.add_column(vertical="bottom", justify="right", min_width=7)
    table.add_column(min_width=SLOTS)
    table.add_row("identifiers", f"{state.identifiers:,}", Text(curve(state.identifier_curve, scale), style="blue"))
    customers, style = f"{state.counts.customers:,}", "bold green"
    table.add_row(
        Text("customers", style="bold"), Text(customers, style), Text(curve(state.customer_curve, scale), "green")
    )
    merges = f"stitched together by {state.counts.merges:,} merges" if state.counts.merges else "nothing stitched yet"
    table.add_row("", "", Text(merges, style="dim"))
    return table


def _details(state: DemoState) -> Table:
    """Returns the channels on the left and the stages on the right."""
    table = Table.grid(padding=(0, 4))
    table.add_row(_channels(state), _stages(state))
    return table


def _channels(state: DemoState) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(min_width=6)
    table.add_column(justify="right", min_width=7)
    table.add_column(min_width=BAR)
    limit = max([1, *state.by_channel.values()])
    for channel in CHANNELS:
        count = state.by_channel.get(channel, 0)
        table.add_row(channel, f"{count:,}", Text("▪" * -(-count * BAR // limit), style="cyan"))
    return table


def _stages(state: DemoState) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=7)
    table.add_column(justify="right", min_width=9)
    table.add_column(justify="right", min_width=8)
    table.add_row(*(Text(title, style="dim") for title in ("stage", "records/s", "waiting")))
    for flow in state.stages:
        table.add_row(flow.stage, f"{flow.per_second:,.0f}", f"{flow.lag:,}")
    in_dlq = state.counts.quarantined
    table.add_row("DLQ", "", Text(f"{in_dlq:,}", style="red" if in_dlq else ""))
    return table


def lead_lines(action: dict[str, Any], clock: str, width: int) -> RenderableType:
    """Returns a lead as two lines, truncated to ``width``."""
    action = printable_values(action)
    first = Text.assemble((f"{clock}  ", "dim"), (display_name(action), "bold"))
    if is_duplicate(action):
        first.append("  duplicate_of another lead, closed", style="yellow")
    else:
        first.append(f"  {action['score']:.0f}", style="bold green")
        first.append(f"  {reasons(action)}", style="green")
    second = Text(f"       {story(action)}  {reach(action)}", style="dim")
    for line in (first, second):
        line.truncate(width, overflow="ellipsis")
    return Group(first, second)


def curve(values: Sequence[int], scale: int) -> str:
    """Returns two rows of blocks with sixteen steps of height; ``scale`` is the highest step.

    Rounds up, so that every value above 0 is visible.
    """
    levels = [min(2 * STEPS, -(-value * 2 * STEPS // scale)) for value in values]
    upper = "".join(BLOCKS[max(0, level - STEPS)] for level in levels)
    return upper + "\n" + "".join(BLOCKS[min(STEPS, level)] for level in levels)
