"""Prints receipts and the progress of requests as tables."""

from typing import Any

from rich.console import Console

from pipeline.cli.tables import titled_table
from pipeline.event.instant import format_instant
from pipeline.privacy.progress import RequestProgress


def print_progress(console: Console, progress: RequestProgress) -> None:
    """Prints what each stage has reported."""
    console.print(f"[bold]request[/bold]  {progress.request}")
    console.print(f"[bold]kind[/bold]     {progress.kind}, {progress.identifiers} digests")
    table = titled_table("State", "stage", "partitions", "rows read", "rows changed", "done at", right=(2, 3))
    for stage in progress.stages:
        done_at = format_instant(stage.finished_ms) if stage.finished_ms else ""
        done = f"{stage.done} of {stage.partitions}"
        table.add_row(stage.stage, done, f"{stage.rows_read:,}", f"{stage.rows_changed:,}", done_at or "")
    console.print(table)


def print_receipt(console: Console, receipt: dict[str, Any]) -> None:
    """Prints a receipt."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(receipt["identifiers"].items()))
    console.print(f"[bold]request[/bold]  {receipt['request']}\n[bold]erased[/bold]   {kinds}")
    table = titled_table("State", "stage", "partitions", "rows read", "rows changed", right=(2, 3))
    for stage in receipt["state"]:
        done = f"{stage['done']} of {stage['partitions']}"
        table.add_row(stage["stage"], done, f"{stage['rows_read']:,}", f"{stage['rows_changed']:,}")
    console.print(table)
    if receipt["topics"] is None:
        console.print("topics were not searched")
        return
    left = titled_table("Left in the logs", "topic", "records", "current", "gone by", right=(1, 2))
    for topic in receipt["topics"]:
        gone_by = topic["cleared_by"] or "no limit: set its retention"
        if topic["records"]:
            left.add_row(topic["topic"], f"{topic['records']:,}", f"{topic['current']:,}", gone_by)
    console.print(left)
    if foreign := sum(topic["foreign"] for topic in receipt["topics"]):
        console.print(f"{foreign:,} records of other tenants name the same customer: they are not part of the erasure")
