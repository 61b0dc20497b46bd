"""A broker that asks for a log-in: a wrong password is not taken for a wrong address."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.kafka.reach import AuthenticationFailedError, NoBrokerError, cluster
from pipeline.local.kafka import LocalKafka
from pipeline.local.ports import LOOPBACK, free_ports, is_listening
from pipeline.settings import Settings

pytestmark = pytest.mark.kafka

LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"


class GuardedKafka(LocalKafka):
    """A broker that answers only clients with a SASL log-in."""

    def _answers(self, port: int) -> bool:
        return is_listening(port)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = {
        "listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.plaintext.plain.sasl.jaas.config": (
            f'{LOGIN} username="ada" password="right" user_ada="right";'
        ),
    }
    with GuardedKafka(tmp_path_factory.mktemp("kafka"), settings=settings) as kafka:
        yield kafka.bootstrap_servers


def login(servers: str, password: str) -> Settings:
    return Settings(
        bootstrap_servers=servers,
        security_protocol="sasl_plaintext",
        sasl_mechanism="PLAIN",
        sasl_username="ada",
        sasl_password=password,
    )


def test_a_wrong_password_is_an_authentication_that_failed(guarded: str) -> None:
    assert cluster(login(guarded, "right").kafka()).brokers
    with pytest.raises(
        AuthenticationFailedError, match=r"^authentication failed at .*STITCHLINE_SASL_PASSWORD"
    ) as caught:
        cluster(login(guarded, "wrong").kafka())
    assert "wrong" not in str(caught.value)


def test_a_command_and_the_doctor_report_a_refused_log_in_in_one_line(
    guarded: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {
        "BOOTSTRAP_SERVERS": guarded, "SECURITY_PROTOCOL": "sasl_plaintext", "SASL_MECHANISM": "PLAIN",
        "SASL_USERNAME": "ada", "SASL_PASSWORD": "wrong", "HOME": str(tmp_path),
    }.items():  # fmt: skip
        monkeypatch.setenv(f"STITCHLINE_{name}", value)
    result = CliRunner().invoke(app, ["topics", "ls"])
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("stitchline: authentication failed at ")
    report = CliRunner().invoke(app, ["doctor"])
    assert report.exit_code == 1
    assert "fail  kafka" in report.stdout
    assert "authentication failed" in report.stdout


def test_an_unreachable_address_is_not_reported_as_failed_authentication() -> None:
    (port,) = free_ports(1)
    with pytest.raises(NoBrokerError) as caught:
        cluster(login(f"{LOOPBACK}:{port}", "right").kafka(), timeout_seconds=3)
    assert not isinstance(caught.value, AuthenticationFailedError)
