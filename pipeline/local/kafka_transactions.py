"""Finds and aborts hanging transactions with Kafka's own tool, ``kafka-transactions.sh``.

librdkafka's admin client supports neither DescribeProducers nor WriteTxnMarkers. The packaged Java runs the
program that a Kafka installation has as ``bin/kafka-transactions.sh``.
"""

import os
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from pipeline.errors import OperatorError
from pipeline.local.fetch import fetch
from pipeline.local.java import class_path, java
from pipeline.local.kafka import LOCK_NAME
from pipeline.local.lockfile import HERE, read_lock

TOOLS_LOCK_NAME: Final = "kafka-tools.lock"
MAIN_CLASS: Final = "org.apache.kafka.tools.TransactionsCommand"
HEAP_MB: Final = 128
TIMEOUT_SECONDS: Final = 120.0
COLUMNS: Final = ("Topic", "Partition", "ProducerId", "ProducerEpoch", "CoordinatorEpoch", "StartOffset")


class TransactionsToolError(OperatorError):
    """Kafka's transactions tool failed. The message ends with what it printed.

    Operator action: run the command of the message with the ``kafka-transactions.sh`` of your Kafka.
    """


class HangingTransaction(msgspec.Struct, frozen=True):
    """An open transaction of a partition that is unknown to its coordinator, so nothing will end it."""

    topic: str
    partition: int
    producer_id: int
    start_offset: int


class TransactionsTool:
    """Runs ``kafka-transactions.sh`` against the brokers of a librdkafka configuration."""

    def __init__(self, config: Mapping[str, str | int]) -> None:
        self._config = dict(config)

    def find_hanging(self, topics: Collection[str]) -> list[HangingTransaction]:
        """Returns the hanging transactions of these topics, however long they have been open.

        Raises:
            TransactionsToolError: The tool failed or did not end in time.
        """
        result: list[HangingTransaction] = []
        for topic in sorted(topics):
            printed = self._run(["find-hanging", "--topic", topic, "--max-transaction-timeout", "0"])
            result += parse_hanging(printed)
        return result

    def abort(self, transaction: HangingTransaction) -> None:
        """Writes the missing abort marker to the partition.

        Raises:
            TransactionsToolError: The broker returned an error, or the tool did not end in time.
        """
        self._run(abort_arguments(transaction))

    def _run(self, arguments: Sequence[str]) -> str:
        jars = fetch("Apache Kafka", read_lock(HERE / LOCK_NAME) + read_lock(HERE / TOOLS_LOCK_NAME))
        with _command_config(self._config) as file:
            servers = str(self._config["bootstrap.servers"])
            program = [MAIN_CLASS, "--bootstrap-server", servers, "--command-config", str(file), *arguments]
            command = java(HEAP_MB, [*class_path(jars), *program])
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)  # noqa: S603
            except subprocess.TimeoutExpired as error:
                message = f"`{shell_command(servers, arguments)}` did not end within {TIMEOUT_SECONDS:.0f} s"
                raise TransactionsToolError(message) from error
        if done.returncode:
            lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            message = f"`{shell_command(servers, arguments)}` failed: {lines[0] if lines else 'it printed nothing'}"
            raise TransactionsToolError(message)
        return done.stdout


def parse_hanging(printed: str) -> list[HangingTransaction]:
    """Returns the rows of the table that ``find-hanging`` prints."""
    rows = [[cell.strip() for cell in line.split("\t")] for line in printed.splitlines() if line.strip()]
    if not rows:
        return []
    missing = [name for name in COLUMNS if name not in rows[0]]
    if missing:
        message = f"find-hanging printed a table without {', '.join(missing)}: {rows[0]}"
        raise TransactionsToolError(message)
    tables = [dict(zip(rows[0], row, strict=False)) for row in rows[1:]]
    return [
        HangingTransaction(row["Topic"], int(row["Partition"]), int(row["ProducerId"]), int(row["StartOffset"]))
        for row in tables
    ]


def abort_arguments(transaction: HangingTransaction) -> list[str]:
    """Returns the arguments of ``kafka-transactions.sh`` that abort the transaction."""
    place = ["--topic", transaction.topic, "--partition", str(transaction.partition)]
    return ["abort", *place, "--start-offset", str(transaction.start_offset)]


def shell_command(servers: str, arguments: Sequence[str]) -> str:
    """Returns the command line that does the same with a Kafka installation."""
    return " ".join(["kafka-transactions.sh", "--bootstrap-server", servers, *arguments])


def java_properties(config: Mapping[str, str | int]) -> dict[str, str]:
    """Returns Java's client properties for a librdkafka configuration of ``Settings.kafka()``."""
    properties = {"security.protocol": str(config.get("security.protocol", "plaintext")).upper()}
    mechanism = config.get("sasl.mechanism")
    if mechanism:
        module = "scram.ScramLoginModule" if str(mechanism).startswith("SCRAM") else "plain.PlainLoginModule"
        name, password = (_quoted(str(config[f"sasl.{part}"])) for part in ("username", "password"))
        properties["sasl.mechanism"] = str(mechanism)
        properties["sasl.jaas.config"] = (
            f"org.apache.kafka.common.security.{module} required username={name} password={password};"
        )
    if "ssl.ca.location" in config:
        properties |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(config["ssl.ca.location"])}
    return properties


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@contextmanager
def _command_config(config: Mapping[str, str | int]) -> Iterator[Path]:
    """Yields a properties file that only this user can read, because it may hold a password."""
    handle, name = tempfile.mkstemp(prefix="stitchline-", suffix=".properties")
    file = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            for key, value in java_properties(config).items():
                escaped = value.replace("\\", "\\\\")
                out.write(f"{key}={escaped}\n")
        yield file
    finally:
        file.unlink()
