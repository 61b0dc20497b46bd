"""A model for people: what it was fitted on, how far it can be trusted, its parameters."""

from typing import Final

from rich.console import Console
from rich.table import Table

from pipeline.cli.profile_screen import money
from pipeline.cli.tables import titled_table
from pipeline.event.duration import DAY_MS
from pipeline.event.instant import format_instant
from pipeline.score.prediction import Holdout, PredictionModel

_LABELS: Final = {
    "model": "the model",
    "own_rate": "each at their own rate",
    "last_period": "as the days before",
    "everyone_equal": "all customers alike",
}


def print_model(console: Console, model: PredictionModel) -> None:
    """Print all of it."""
    facts, table = model.calibration, Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("model", model.version)
    table.add_row("fitted", f"{(format_instant(model.fitted_at_ms) or '').partition('.')[0]} UTC")
    table.add_row(
        "on", f"{facts.customers} customers, {facts.repeat_buyers} of them repeat buyers, in {model.currency}"
    )
    table.add_row("history", f"{_day(facts.first_day)} to {_day(facts.as_of_day)}, aggregate {model.aggregate}")
    table.add_row("looks ahead", f"{model.horizon_days} days")
    buying, spend = model.purchases, model.spend
    table.add_row("BG/NBD", f"r {buying.r:.4g}, alpha {buying.alpha:.4g} days, a {buying.a:.4g}, b {buying.b:.4g}")
    table.add_row("gamma-gamma", f"p {spend.p:.4g}, q {spend.q:.4g}, v {money(round(spend.v), model.currency)}")
    table.add_row("frequency and value", f"correlation {facts.value_correlation:.2f}; taken to be 0")
    for note in facts.notes:
        table.add_row("note", note, style="yellow")
    console.print(table)
    console.print()
    console.print(_fifths(model))
    if model.holdout is not None:
        console.print()
        console.print(_holdout(model.holdout))
        actual, predicted = model.holdout.spent_minor, model.holdout.spent_predicted_minor
        console.print(
            f"{money(actual, model.currency)} came, {money(predicted, model.currency)} predicted by the model"
        )


def _fifths(model: PredictionModel) -> Table:
    table = titled_table("RFM: the upper ends of the fifths", "", "1st", "2nd", "3rd", "4th", right=range(1, 5))
    table.add_row("days since", *map(str, model.rfm.days_since))
    table.add_row("orders", *map(str, model.rfm.orders))
    table.add_row("money", *(money(minor, model.currency) for minor in model.rfm.total_minor))
    return table


def _holdout(holdout: Holdout) -> Table:
    title = f"Hold-out: the last {holdout.days} days of {holdout.customers} customers, {holdout.purchases} purchases"
    table = titled_table(title, "predicted by", "mean error", "rms error", "correlation", "in all", right=range(1, 6))
    for name, accuracy in holdout.predictors.items():
        table.add_row(
            _LABELS.get(name, name), f"{accuracy.mean_absolute_error:.3f}", f"{accuracy.root_mean_square_error:.3f}",
            f"{accuracy.correlation:.3f}", f"{accuracy.total:.0f}",
        )  # fmt: skip
    return table


def _day(day: int) -> str:
    return (format_instant(day * DAY_MS) or str(day)).partition("T")[0]
