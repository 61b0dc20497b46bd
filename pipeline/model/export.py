"""Reads purchase histories from a profile export: NDJSON or Parquet, as ``stitchline profile export`` writes it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from pipeline.event.duration import DAY_MS
from pipeline.export.files import format_of
from pipeline.model.errors import ExportError
from pipeline.profile.kinds.pairs import Pairs
from pipeline.profile.windows import LIFETIME

Step: TypeAlias = Callable[[int, int], None]
"""Called with the amounts read so far and in all: bytes of NDJSON, rows of Parquet."""


class History(msgspec.Struct):
    """One customer's purchases in one currency: the part of the exported aggregate that fitting needs."""

    history: list[tuple[int, int, int]]
    """[day, amount in minor units, orders]."""

    def pairs(self) -> Pairs:
        """Returns the aggregate's cell that the history was exported from."""
        return [[day, [amount, orders]] for day, amount, orders in self.history]


class Export(msgspec.Struct):
    """The purchases in an export."""

    as_of_day: int = 0
    """The latest ``as_of_ms`` of the profiles, in days since the epoch."""
    profiles: int = 0
    histories: dict[str, list[Pairs]] = {}
    """Currency to one cell for each customer with an order in it, in the order of the file."""


class _View(msgspec.Struct):
    tenant: str
    as_of_ms: int
    aggregates: dict[str, msgspec.Raw]


_VIEW: Final = msgspec.json.Decoder(_View)
_LIFETIME: Final = msgspec.json.Decoder(dict[str, dict[str, History]])
_DAYS: Final = msgspec.json.Decoder(list[tuple[int, int, int]])
_ROWS: Final = 2_000


def read_export(path: Path, aggregate: str, tenant: str, step: Step) -> Export:
    """Returns the histories in the aggregate with the name ``aggregate``, of one tenant's customers.

    Raises:
        ExportError: The file is not an export, no profile has the aggregate, the aggregate is not of kind purchases, or
            ``tenant`` is "" and the file holds several tenants.
        UnknownFormatError: The file name has no suffix of an export.
        OSError: The file cannot be read.
    """
    read = _ndjson if format_of(path) == "ndjson" else _parquet
    export, has_aggregate, wanted_tenant = Export(), False, tenant
    for profile_tenant, as_of_ms, by_currency in read(path, aggregate, step):
        wanted_tenant = wanted_tenant or profile_tenant
        if profile_tenant != wanted_tenant:
            if tenant:
                continue
            msg = f"{path}: the file holds the tenants {wanted_tenant} and {profile_tenant}: choose one with --tenant"
            raise ExportError(msg)
        export.profiles += 1
        export.as_of_day = max(export.as_of_day, as_of_ms // DAY_MS)
        has_aggregate |= by_currency is not None
        for currency, history_of_currency in (by_currency or {}).items():
            export.histories.setdefault(currency, []).append(history_of_currency.pairs())
    if not has_aggregate:
        of = f" of tenant {tenant}" if tenant else ""
        msg = f"{path}: no profile{of} has the aggregate {aggregate!r}: {_ADVICE.format(aggregate)}"
        raise ExportError(msg)
    return export


_ADVICE: Final = (
    "add `- {{name: {}, kind: purchases, field: amount, filter: {{events: [order_completed]}}}}` to aggregates.yaml, "
    "process the events and export again, or name another with --aggregate"
)
_Profiles: TypeAlias = Iterator[tuple[str, int, dict[str, History] | None]]
"""Per profile: tenant, ``as_of_ms``, and histories by currency, which are None if the profile lacks the aggregate."""


def _ndjson(path: Path, aggregate: str, step: Step) -> _Profiles:
    size, done = path.stat().st_size, 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            done += len(line)
            try:
                view = _VIEW.decode(line)
                encoded = view.aggregates.get(aggregate)
                by_currency = None if encoded is None else _LIFETIME.decode(encoded).get(LIFETIME, {})
            except msgspec.MsgspecError as error:
                raise _not_purchases(path, f"line {number}", aggregate, error) from error
            yield view.tenant, view.as_of_ms, by_currency
            if number % _ROWS == 0:
                step(done, size)
    step(size, size)


def _parquet(path: Path, aggregate: str, step: Step) -> _Profiles:
    from pyarrow import ArrowException, parquet  # type: ignore[import-untyped]  # noqa: PLC0415 - slow to import

    done = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS, columns=["tenant", "as_of_ms", "aggregates"]):
                for row in batch.to_pylist():
                    done += 1
                    by_currency = _of_row(path, f"row {done}", row["aggregates"], aggregate)
                    yield row["tenant"], row["as_of_ms"], by_currency
                step(done, file.metadata.num_rows)
    except (ArrowException, KeyError) as error:
        msg = f"{path}: not an export of profiles: {error}"
        raise ExportError(msg) from error


def _of_row(path: Path, where: str, aggregates: list[dict[str, Any]], aggregate: str) -> dict[str, History] | None:
    """Returns a profile's histories by currency; None if it has no purchases, and so no record of the aggregate."""
    try:
        return {
            entry["currency"]: History(_DAYS.decode(entry["text"] or "null"))
            for entry in aggregates
            if entry["name"] == aggregate and entry["window"] == LIFETIME and entry["part"] in {"", "history"}
        } or None
    except msgspec.MsgspecError as error:
        raise _not_purchases(path, where, aggregate, error) from error


def _not_purchases(path: Path, where: str, aggregate: str, error: Exception) -> ExportError:
    msg = f"{path}: {where}: {aggregate!r} is not an aggregate of kind purchases ({error}): {_ADVICE.format(aggregate)}"
    return ExportError(msg)
