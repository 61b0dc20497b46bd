"""``stitchline leads tail``: CRM actions as they come.

Exit codes: 0 ended (by ctrl-c, SIGTERM, ``-n`` or ``--drain``), 1 Kafka or the schema registry refused.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Final

import typer
from confluent_kafka import KafkaException, Message
from rich.console import Console
from rich.text import Text

from pipeline.avro.registry import schema_ids
from pipeline.avro.wire import Decoder, Undecodable
from pipeline.cli.connect import connected
from pipeline.cli.ending import Ended, ends_on_signals
from pipeline.cli.explained import complain, explained
from pipeline.cli.printed import print_json
from pipeline.cli.screen import screen
from pipeline.kafka.follow import Follower
from pipeline.printable import printable_values
from pipeline.query.lead import display_name, is_duplicate, reach, reasons, story
from pipeline.settings import Settings
from pipeline.topics import ACTIONS

POLL_SECONDS: Final = 0.2
TIMEOUT_SECONDS: Final = 5.0
EXAMPLES = """\b
Exit codes: 0 ended; 1 Kafka or the schema registry refused.
\b
Examples:
  stitchline leads tail
  stitchline leads tail --from-start --drain
  stitchline leads tail --json -n 1 | jq .contact
"""

app = typer.Typer(no_args_is_help=True, help="Show leads on their way to the CRM.")


@app.callback()
def _leads() -> None:
    """Show leads on their way to the CRM."""


@app.command(epilog=EXAMPLES)
def tail(
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the oldest action.")] = False,
    drain: Annotated[bool, typer.Option("--drain", help="End after the actions that exist at the start.")] = False,
    count: Annotated[int, typer.Option("-n", "--count", min=0, help="End after this number; 0: never.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print each action as one line of JSON.")] = False,
) -> None:
    """Print each lead when it arrives: customer, score with reasons, and earlier touches."""
    show = print_json if as_json else _printer(screen())
    with explained(KafkaException), suppress(Ended), ends_on_signals():
        for shown, action in enumerate(_actions(connected(Settings()), from_start=from_start, drain=drain), 1):
            show(action)
            if shown == count:
                break


def _actions(settings: Settings, *, from_start: bool, drain: bool) -> Iterator[dict[str, Any]]:
    """What there is already in order of time, then what comes."""
    topic = ACTIONS.of(settings.topic_prefix)
    decode = Decoder(ACTIONS.value, schema_ids(settings.schema_registry_url).writer)
    with Follower(settings.kafka(), [topic], from_start=from_start) as follower:
        if from_start or drain:
            there = list(_decoded(decode, follower.until_now(TIMEOUT_SECONDS)))
            yield from sorted(there, key=lambda action: (action["timestamp_ms"], action["action_id"]))
        while not drain:
            yield from _decoded(decode, follower.poll(POLL_SECONDS))


def _decoded(decode: Decoder, messages: Iterable[Message]) -> Iterator[dict[str, Any]]:
    """Yields the actions; a record that is none is reported on stderr and passed over."""
    for message in messages:
        try:
            yield decode(message.value())
        except Undecodable as error:
            complain(f"{message.topic()} {message.partition()}:{message.offset()} is no action: {error}")


def _printer(console: Console) -> Callable[[dict[str, Any]], None]:
    if sys.stdout.isatty():
        screen(stderr=True).print("waiting for leads; ctrl-c ends", style="dim")
    return lambda action: console.print(lead_text(action), soft_wrap=True)


def lead_text(action: dict[str, Any]) -> Text:
    """A lead in three lines: customer and score, reasons, touches."""
    action = printable_values(action)
    at = datetime.fromtimestamp(action["timestamp_ms"] / 1000).astimezone()
    text = Text(f"{at:%Y-%m-%d %H:%M:%S}  ", style="dim")
    text.append(display_name(action), style="bold not dim")
    if reach(action) not in {"", display_name(action)}:
        text.append(f" · {reach(action)}", style="not dim")
    if is_duplicate(action):
        note = f"\n  duplicate_of: close {action['action_id']}, keep {action['duplicate_of']}"
        return text.append(note, style="yellow not dim")
    text.append(f" · score {action['score']:.0f} (lead from {action['threshold']:.0f})", style="green not dim")
    return text.append(f"\n  why: {reasons(action, 4)}\n  way: {story(action)}", style="not dim")
