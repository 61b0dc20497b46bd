"""Structured logs: an event name and fields, as JSON or as coloured lines on a terminal, without personal data.

>>> from pipeline.obs.log import configure, logger
>>> configure("info")
>>> logger("pipeline.stream").info("partition_restored", stage="profile", partition=3, rows=1200)  # doctest: +SKIP

Lines of libraries that use the standard library's logging (Faust, aiohttp, librdkafka) have the same form.
"""

import logging
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, Final, TextIO

import structlog
from structlog.typing import Processor

from pipeline.obs import librdkafka
from pipeline.obs.redact import IDENTIFIER_TYPES, Redactor

QUIETER: Final = {
    "faust": "warning", "mode": "warning", "aiohttp.access": "warning", "asyncio": "warning",
    "pipeline.stream.faust_transport": "warning",
    "uvicorn.error": "error",
    "httpx2": "warning", "httpcore2": "warning",  # whole URLs: queries with e-mail addresses, signatures of files
}  # fmt: skip
"""Libraries whose routine messages do not help an operator, or must not be seen → the lowest level that is logged."""

NO_FIELDS: Final[Mapping[str, str]] = MappingProxyType({})


# Before configure(), lines go to the standard library's logging, because structlog's default is standard output.
structlog.configure(logger_factory=structlog.stdlib.LoggerFactory(), wrapper_class=structlog.stdlib.BoundLogger)


def configure(
    level: str = "info",
    *,
    stream: TextIO | None = None,
    console: bool | None = None,
    identifier_types: Iterable[str] = IDENTIFIER_TYPES,
    fields: Mapping[str, str] = NO_FIELDS,
) -> None:
    """Sets up logging for the process. A second call replaces the first.

    ``console`` None prints coloured lines if ``stream`` (default: standard error) is a terminal, otherwise JSON.
    ``fields`` are added to every entry, for example the worker id.
    ``identifier_types`` are those of the rules in force; values of these types are redacted in texts.
    """
    out = stream or sys.stderr
    on_console = out.isatty() if console is None else console
    redact = Redactor(identifier_types)

    def redaction(_: object, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        meta = {key: entry.pop(key) for key in ("_record", "_from_structlog") if key in entry}
        return {**redact(entry), **meta}

    def more_fields(_: object, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        of_client: dict[str, Any] = getattr(entry.get("_record"), "kafka_client", {})
        return {**fields, **entry, **of_client}

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Exceptions become text before redaction: their messages may quote a payload.
    last: list[Processor] = [
        structlog.processors.format_exc_info,
        more_fields,
        redaction,
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.dev.ConsoleRenderer(colors=out.isatty()) if on_console else structlog.processors.JSONRenderer(),
    ]
    handler = logging.StreamHandler(out)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    _install(handler, level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a second configure() must reach loggers that were used before it
    )


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Returns the logger of a module. Event names are ``snake_case`` facts; varying data belongs in fields."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound


def _install(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    librdkafka.install()
    for name, minimum in QUIETER.items():
        logging.getLogger(name).setLevel(max(logging.getLevelName(minimum.upper()), root.level))
