"""What is given to Kafka's transactions tool, and what is read from it."""

import pytest

from pipeline.local.kafka_transactions import (
    HangingTransaction,
    TransactionsToolError,
    abort_arguments,
    java_properties,
    parse_hanging,
    shell_command,
)

PRINTED = (
    "Topic\tPartition\tProducerId\tProducerEpoch\tCoordinatorEpoch\tStartOffset\tLastTimestamp\tDuration(min)\t\n"
    "t    \t5        \t4000      \t1            \t0               \t17         \t1796030000000\t3            \t\n\n"
)


def test_the_table_of_find_hanging_is_read() -> None:
    assert parse_hanging(PRINTED) == [HangingTransaction("t", 5, 4000, 17)]
    assert parse_hanging("\n") == []
    assert parse_hanging(PRINTED.splitlines()[0]) == []


def test_another_table_is_refused_instead_of_being_misread() -> None:
    with pytest.raises(TransactionsToolError, match="StartOffset"):
        parse_hanging("Topic\tPartition\n")


def test_the_command_to_run_by_hand_is_whole() -> None:
    command = shell_command("k:9092", abort_arguments(HangingTransaction("t", 5, 4000, 17)))
    assert command == "kafka-transactions.sh --bootstrap-server k:9092 abort --topic t --partition 5 --start-offset 17"


def test_log_in_and_tls_become_properties_of_java() -> None:
    config: dict[str, str | int] = {
        "bootstrap.servers": "k:9092", "security.protocol": "sasl_ssl", "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "ada", "sasl.password": 'a"b\\c', "ssl.ca.location": "/ca.pem",
    }  # fmt: skip
    assert java_properties(config) == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": (
            'org.apache.kafka.common.security.scram.ScramLoginModule required username="ada" password="a\\"b\\\\c";'
        ),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": "/ca.pem",
    }
    assert java_properties({"bootstrap.servers": "k"}) == {"security.protocol": "PLAINTEXT"}
