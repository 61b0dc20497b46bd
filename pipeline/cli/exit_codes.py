"""The exit codes of every command. Each number has one meaning."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit code says. A command that a signal ends without a result has 128 + its number."""

    OK = 0
    FAILED = 1
    """Kafka, the schema registry, the rules, a file, the disk or a setting stood in the way. Nothing was half done."""
    MISUSED = 2
    """The command line is wrong."""
    SOME_REJECTED = 3
    """Done, but some records are not events, or were quarantined."""
    UNKNOWN = 4
    """There is no such customer or record."""
    NO_ANSWER = 5
    """The decision is on the log, and no stitch worker has answered yet."""
    NOT_READY = 6
    """Something the deployment needs is not there: a server does not run, a topic is missing."""
    KAFKA_UNAVAILABLE = 75
    """A supervised worker cannot use Kafka (EX_TEMPFAIL of sysexits.h); its supervisor waits for Kafka."""
    INTERRUPTED = 130
    """SIGINT or SIGTERM ended a command before it was done; run it again to go on."""
