"""The report of ``stitchline chaos`` on a screen."""

from rich.console import Console
from rich.table import Table

from pipeline.chaos.comparison import Comparison
from pipeline.chaos.report import Recovery, Report


def print_report(console: Console, report: Report) -> None:
    """Prints the recoveries, the ends of workers, the trends and the comparisons."""
    console.print(f"{report.broker} · disk full: {report.disk}", markup=False)
    console.print(
        f"{report.events} events in {report.plan.seconds:.0f} s, {report.seconds:.0f} s in all · {report.lives} worker "
        f"processes · {report.foreign} foreign records · {report.copies} copies of state, in which "
        f"{len(report.unusable_copies)} databases could not be opened · {report.sent_twice} events sent twice",
        markup=False,
    )
    if report.recoveries:
        console.print(_recoveries(report.recoveries))
    for text, number in report.ends.items():
        console.print(f"worker ended by itself, {number} times: {text}", markup=False)
    for trend in report.trends:
        console.print(f"{trend.name}: by quarters {', '.join(f'{value:,}' for value in trend.quarters)}", markup=False)
    console.print(_comparisons(report.comparisons))
    for each in report.comparisons:
        for text in each.shown:
            console.print(f"  {each.name}: {text}", markup=False)


def _recoveries(recoveries: list[Recovery]) -> Table:
    table = Table("fault", "times", "lasted s", "stood s, median", "max", "/livez", "/readyz", "/readyz of others")
    for each in recoveries:
        table.add_row(
            each.kind, str(each.faults), f"{each.lasted_seconds:g}", f"{each.median_stood_seconds:g}",
            f"{each.max_stood_seconds:g}" + (f" ({each.unfinished} never)" if each.unfinished else ""),
            _answers(each.livez), _answers(each.readyz), _answers(each.others),
        )  # fmt: skip
    return table


def _answers(answers: dict[str, int]) -> str:
    return "\n".join(f"{number} x {text}" for text, number in answers.items())


def _comparisons(comparisons: list[Comparison]) -> Table:
    table = Table("compared", "number", "differences")
    for each in comparisons:
        table.add_row(each.name, str(each.compared), str(each.differences))
    return table
