"""The published sample of CDNOW's customers (every tenth), and the package with the expected results.

Fader, Hardie, Lee (2005) calibrate on its first 39 weeks: purchases up to 30 September 1997 of 2,357 customers.
``lifetimes`` ships the purchases, the published summaries in weeks, and an implementation of both models of its own.
"""

import csv
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, NamedTuple

from tests.acceptance import cdnow

SETS = cdnow.data_file().parent
CALIBRATION_DAY = int(datetime(1997, 9, 30, tzinfo=UTC).timestamp()) // 86_400
WEEK_DAYS = 7

PUBLISHED_BGNBD = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
"""Fader, Hardie, Lee: "Counting Your Customers" the Easy Way, Marketing Science 24(2), 2005, table 2; weeks."""
PUBLISHED_LOG_LIKELIHOOD = -9_582.4
"""The same table."""
PUBLISHED_GAMMA_GAMMA = {"p": 6.25, "q": 3.74, "v": 15.44}
"""Fader, Hardie: The Gamma-Gamma Model of Monetary Value, 2013; of 946 repeat buyers, in dollars."""


class Published(NamedTuple):
    """One customer's published summary, in weeks and dollars."""

    frequency: int
    recency: float
    age: float
    monetary: float


def published_customers() -> list[Published]:
    """In the order of the sample's customer numbers."""
    with (SETS / "cdnow_customers_summary_with_transactions.csv").open(encoding="ascii") as file:
        return [
            Published(int(row["x"]), float(row["t_x"]), float(row["T"]), float(row["zbar"]))
            for row in csv.DictReader(file)
        ]


def sample_customers() -> list[str]:
    """The customers of the sample by their numbers in the whole log, in the order of their numbers in the sample."""
    lines = (SETS / "CDNOW_sample.txt").read_text(encoding="ascii").splitlines()
    return list(dict.fromkeys(line.split()[0] for line in lines))


@contextmanager
def lifetimes_in_peace() -> Iterator[Any]:
    """``lifetimes``, in a block without warnings: it warns of the pandas it was not written for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield import_module("lifetimes")
