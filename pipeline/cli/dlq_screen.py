"""The DLQ for people: what there is of it, and one record down to its bytes."""

from typing import Any, Final

import msgspec
from confluent_kafka import Message
from rich.markup import escape
from rich.table import Table

from pipeline.cli.screen import screen
from pipeline.cli.tables import titled_table
from pipeline.printable import printable, printable_json
from pipeline.query.quarantine import Entry, Listing, headers_of

SHOWN_BYTES: Final = 1024


def print_listing(listed: Listing) -> None:
    """Counts, then the newest."""
    console = screen()
    if not listed.total:
        console.print("nothing is quarantined")
        return
    repeats = f" ({listed.repeats} more were sent again)" if listed.repeats else ""
    counts = titled_table(f"{listed.total} quarantined{repeats}", "records", "reason", "stage", "topic")
    for count in listed.counts:
        counts.add_row(
            str(count["records"]), *(escape(printable(count[name])) for name in ("reason", "stage", "topic"))
        )
    console.print(counts)
    if listed.newest:
        newest = titled_table("Newest", "place", "quarantined at", "reason", "topic", "bytes", "detail")
        for entry in listed.newest:
            cells = (entry.place, entry.quarantined_at, entry.reason, entry.topic, str(entry.size_bytes), entry.detail)
            newest.add_row(*(escape(printable(cell)) for cell in cells))
        console.print()
        console.print(newest)


def print_record(entry: Entry, message: Message, decoded: dict[str, Any] | None, fault: str) -> None:
    """Facts, headers, key, bytes, and the record they are or why they are none."""
    console, facts = screen(), Table.grid(padding=(0, 2))
    for name, fact in msgspec.to_builtins(entry).items():
        facts.add_row(f"[bold]{name}[/bold]", escape(printable(str(fact))))
    for name, header in headers_of(message):
        facts.add_row(
            f"[dim]{escape(printable(name))}[/dim]", escape(printable((header or b"").decode(errors="replace")))
        )
    console.print(facts)
    key, value = message.key(), message.value()
    console.print(f"\n[bold]key[/bold] {escape(repr(key))}")
    console.print("[bold]value[/bold]")
    console.print("no value (a tombstone)" if value is None else hex_dump(value), markup=False)
    if decoded is None:
        console.print(f"\n[bold]not decoded:[/bold] {escape(printable(fault))}")
    else:
        console.print("\n[bold]decoded[/bold]")
        console.print(
            printable_json(msgspec.json.format(msgspec.json.encode(decoded), indent=2).decode()), markup=False
        )


def hex_dump(data: bytes) -> str:
    r"""The first KiB as hexadecimal and text, sixteen bytes a line.

    >>> hex_dump(b"A\x00 \xff")
    '00000000  41 00 20 ff                                      A. .'
    """
    lines = []
    for at in range(0, min(len(data), SHOWN_BYTES), 16):
        part = data[at : at + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{at:08x}  {part.hex(' '):<47}  {text}")
    if len(data) > SHOWN_BYTES:
        lines.append(f"… {len(data) - SHOWN_BYTES} bytes more; --json has all of them")
    return "\n".join(lines)
