"""What a command prints about a Kafka that cannot be reached: one line, none of them a library's."""

import os
import subprocess
import sys

from pipeline.local.ports import LOOPBACK, free_ports
from tests.support.waiting import deadline_seconds


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **{f"STITCHLINE_{name.upper()}": value for name, value in settings.items()}}
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=deadline_seconds(), check=False
    )


def test_a_wrong_address_is_one_line() -> None:
    (port,) = free_ports(1)
    done = run("topics", "ls", bootstrap_servers=f"{LOOPBACK}:{port}")
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"stitchline: no Kafka broker answers at {LOOPBACK}:{port}")


RETRIES = """
import sys
import pipeline.cli as cli
from confluent_kafka import KafkaError, KafkaException
from pipeline.kafka.retry import retrying

def command(**_):
    failures = iter([KafkaException(KafkaError(KafkaError.NOT_COORDINATOR))] * 2)
    def call():
        for error in failures:
            raise error
        return 1
    print(retrying(call))

cli.app = command
cli.main()
"""


def test_a_command_that_repeats_a_request_does_not_print_each_attempt() -> None:
    done = subprocess.run([sys.executable, "-c", RETRIES], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("1\n", "")
