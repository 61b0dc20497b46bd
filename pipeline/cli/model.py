"""``stitchline model fit | show``: predictions' models, from exported profiles to a file that workers load.

Exit codes: 0 done, 1 the export, the history or the disk refused (the message says what to do), 2 wrong use.
"""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.bar import Bars
from pipeline.cli.explained import explained
from pipeline.cli.model_screen import print_model
from pipeline.cli.printed import print_json, print_line
from pipeline.cli.screen import screen
from pipeline.clock import wall_clock_ms
from pipeline.event.duration import DAY_MS, parse_duration
from pipeline.model.export import read_export
from pipeline.rules.model_file import load_model, save_model
from pipeline.score.prediction import MAX_DAYS, ModelError

FIT_EXAMPLES = """\b
Exit codes: 0 written; 1 the export, the history or the disk refused, or SciPy is missing; 2 wrong use.
\b
Examples:
  stitchline profile export profiles.parquet
  stitchline model fit profiles.parquet --out model.json
  stitchline model fit profiles.ndjson --out model.json --holdout 90d --horizon 30d --currency EUR
"""
SHOW_EXAMPLES = """\b
Exit codes: 0 shown; 1 not a model that this version can use.
\b
Examples:
  stitchline model show model.json
  stitchline model show model.json --json | jq .holdout.predictors
"""
Json = Annotated[bool, typer.Option("--json", help="Print the model as one JSON document.")]

app = typer.Typer(no_args_is_help=True, help="Fit and show models that predict purchases and churn.")


@app.command(epilog=FIT_EXAMPLES)
def fit(
    export: Annotated[Path, typer.Argument(metavar="EXPORT", help="NDJSON or Parquet of `profile export`.")],
    *,
    out: Annotated[Path, typer.Option(help="The model file; replaced only when complete.")],
    holdout: Annotated[str, typer.Option(help="Last part of the history, to evaluate on; 0: none.")] = "90d",
    horizon: Annotated[str, typer.Option(help="Horizon of the predictions.")] = "30d",
    aggregate: Annotated[str, typer.Option(help="The aggregate of kind purchases to learn from.")] = "purchases",
    currency: Annotated[str, typer.Option(help="Default: the one most customers bought in.")] = "",
    tenant: Annotated[str, typer.Option(help="Tenant, if the export contains several.")] = "",
    as_json: Json = False,
) -> None:
    """Fit churn risk, next purchase and expected value on exported profiles, and evaluate them on a hold-out.

    Export all profiles as of one moment (`--as-of now`), so that time without purchases counts for every customer.
    """
    from pipeline.model.fit import Ask, currency_of, fit_model  # noqa: PLC0415 - only fitting waits for NumPy
    from pipeline.model.likelihood import scipy_parts  # noqa: PLC0415

    holdout_days = 0 if holdout == "0" else _days(holdout, "--holdout")
    horizon_days = _days(horizon, "--horizon")
    with explained(ModelError, OSError), Bars() as bars:
        scipy_parts()  # before an hour of reading, not after
        history = read_export(export, aggregate, tenant, bars.reading("reading"))
        ask = Ask(aggregate, currency or currency_of(history), horizon_days, holdout_days)
        model = fit_model(history, ask, wall_clock_ms(), bars.counting("fitting", None))
        save_model(out, model)
    if as_json:
        print_json(model)
    else:
        print_model(screen(), model)
        print_line(f"\nmodel {model.version} written to {out}")


@app.command(epilog=SHOW_EXAMPLES)
def show(
    file: Annotated[Path, typer.Argument(metavar="MODEL", help="A file of `model fit`.")],
    as_json: Json = False,
) -> None:
    """Show a model: what it was fitted on, how well it predicted the hold-out, its parameters."""
    with explained(ModelError, OSError):
        model = load_model(file)
    if as_json:
        print_json(model)
    else:
        print_model(screen(), model)


def _days(text: str, option: str) -> int:
    try:
        days, rest = divmod(parse_duration(text), DAY_MS)
    except ValueError as error:
        message = f"not a span of time: {error}"
        raise typer.BadParameter(message, param_hint=option) from error
    if rest or not 0 < days <= MAX_DAYS:
        message = f"{text}: write whole days, 1d to {MAX_DAYS}d"
        raise typer.BadParameter(message, param_hint=option)
    return days
