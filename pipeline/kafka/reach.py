"""Checks whether the brokers answer, and finds the cause if they do not.

librdkafka reports a refused log-in only through its error callback. The request itself ends with "transport failure",
as for a wrong address.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata  # type: ignore[attr-defined]  # public, not re-exported

from pipeline.errors import OperatorError
from pipeline.kafka.retry import NO_BROKER_CODES

REQUEST_SECONDS: Final = 10.0
MAX_ERRORS: Final = 20
REFUSED_CODES: Final = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED})  # noqa: SLF001
TLS_CODES: Final = frozenset({KafkaError._SSL})  # noqa: SLF001
CAUSES: Final = (KafkaError._RESOLVE, KafkaError._TRANSPORT)


class NoBrokerError(OperatorError):
    """No broker answers at the configured address.

    Operator action: check STITCHLINE_BOOTSTRAP_SERVERS and STITCHLINE_SECURITY_PROTOCOL. A broker that expects another
    protocol does not answer either.
    """


class AuthenticationFailedError(NoBrokerError):
    """A broker answered and refused the log-in or the TLS handshake.

    Operator action: check STITCHLINE_SASL_MECHANISM, STITCHLINE_SASL_USERNAME and STITCHLINE_SASL_PASSWORD; for TLS,
    STITCHLINE_SSL_CA_LOCATION.
    """


class Reach:
    """Requests metadata with one client and explains why no broker answers."""

    def __init__(self, config: Mapping[str, str | int]) -> None:
        self._config = config
        self._errors: deque[KafkaError] = deque(maxlen=MAX_ERRORS)
        options: dict[str, Any] = {**config, "log_level": 0, "error_cb": self._errors.append}
        self._client = AdminClient(options)

    def metadata(self, timeout_seconds: float) -> ClusterMetadata:
        """Returns brokers and topics. Raises as :func:`cluster`."""
        try:
            answer = self._client.list_topics(timeout=timeout_seconds)
        except KafkaException as error:
            if error.args[0].code() not in NO_BROKER_CODES:
                raise
            self._client.poll(0)
            raise _explained(self._config, [error.args[0], *self._errors]) from error
        self._client.poll(0)
        self._errors.clear()
        return answer


def cluster(config: Mapping[str, str | int], timeout_seconds: float = REQUEST_SECONDS) -> ClusterMetadata:
    """Returns brokers and topics.

    Raises:
        AuthenticationFailedError: A broker refused the log-in or the TLS handshake.
        NoBrokerError: No broker answered within ``timeout_seconds``.
        KafkaException: A broker answered with another error.
    """
    return Reach(config).metadata(timeout_seconds)


def _explained(config: Mapping[str, str | int], errors: list[KafkaError]) -> NoBrokerError:
    servers, protocol = config["bootstrap.servers"], config.get("security.protocol", "plaintext")
    by_code = {error.code(): error for error in errors}
    for code in REFUSED_CODES & by_code.keys():
        return AuthenticationFailedError(
            f"authentication failed at {servers} ({_reason(by_code[code])}); check STITCHLINE_SASL_MECHANISM, "
            "STITCHLINE_SASL_USERNAME and STITCHLINE_SASL_PASSWORD"
        )
    for code in TLS_CODES & by_code.keys():
        return AuthenticationFailedError(
            f"TLS with {servers} failed ({_reason(by_code[code])}); check STITCHLINE_SSL_CA_LOCATION, and "
            f"STITCHLINE_SECURITY_PROTOCOL, which is {protocol}"
        )
    # The callback's error names the cause; the request itself ended with "transport failure" or a time-out.
    causes = [by_code[code] for code in CAUSES if code in by_code and by_code[code] is not errors[0]]
    reason = _reason(causes[0]) if causes else errors[0].str()
    return NoBrokerError(
        f"no Kafka broker answers at {servers} ({reason}); check STITCHLINE_BOOTSTRAP_SERVERS, and "
        f"STITCHLINE_SECURITY_PROTOCOL, which is {protocol}"
    )


def _reason(error: KafkaError) -> str:
    """Returns the broker's message without the client and broker names before it and the counters behind it."""
    return error.str().rpartition("bootstrap: ")[2].partition(" (after ")[0].strip()
