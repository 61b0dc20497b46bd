"""The settings of a process. The only module that reads the environment (``STITCHLINE_…``)."""

import os
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.errors import OperatorError
from pipeline.event.duration import DAY_MS
from pipeline.topics import StageName

_OF_TESTS: Final = frozenset(
    {"STITCHLINE_SEED", "STITCHLINE_SEEDS", "STITCHLINE_FIRST_SEED", "STITCHLINE_REPLAY_EVENTS"}
)
"""What the tests' replay lines set."""
_OF_KUBERNETES: Final = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")
"""What Kubernetes sets in every pod for a service whose name begins with ``stitchline``; ``…_PORT`` has a URL."""


class SettingsError(OperatorError):
    """Environment variables that belong to no setting, or have invalid values.

    Operator action: correct the variables that the message names.
    """


class Settings(BaseSettings):
    """Wiring of one process. Business rules are not settings; they are files in the rules directory."""

    model_config = SettingsConfigDict(env_prefix="STITCHLINE_", frozen=True, extra="forbid")

    bootstrap_servers: str = Field(
        "", description="Kafka brokers, host:port[,host:port]. Empty: the local Apache Kafka."
    )
    testcontainers: bool = Field(
        False, description="For tests: run Kafka in a container if a container engine answers."
    )
    security_protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        "plaintext", description="Security protocol of the connection to the brokers."
    )
    sasl_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "", description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. Empty: no SASL."
    )
    sasl_username: str = Field("", description="SASL user name.")
    sasl_password: SecretStr = Field(SecretStr(""), description="SASL password.")
    ssl_ca_location: str = Field("", description="PEM file with the trusted certificate authorities.")
    schema_registry_url: str = Field(
        "", description="Confluent-compatible registry. Empty: the ids in the schema files."
    )
    topic_prefix: str = Field("cdp", pattern=r"^[a-z0-9][a-z0-9._-]*$", description="First part of every topic name.")
    application_id: str = Field("stitchline", description="Consumer group, and prefix of the transactional ids.")
    partitions: int = Field(8, ge=1, le=4096, description="Partitions of topics created by `topics create`.")
    replication_factor: int = Field(1, ge=1, description="Replicas of topics created by `topics create`.")
    rules_dir: Path | None = Field(None, description="Directory of the rules files. Unset: the shipped defaults.")
    home: Path = Field(Path(".stitchline"), description="Folder for state, local servers and progress files.")
    worker_id: str = Field(
        "0", pattern=r"^[A-Za-z0-9_-]+$", description="Unique among the workers of one application id."
    )
    stages: str = Field(",".join(StageName), description="Stages this worker runs.")
    clock: Literal["wall", "stream"] = Field(
        "wall", description='Current time: "wall" is the wall clock, "stream" event time behind watermarks (replays).'
    )
    commit_interval_ms: int = Field(
        150, ge=10, le=10_000, description="Longest commit interval of a worker that keeps up."
    )
    catch_up_interval_ms: int = Field(
        2000, ge=10, le=10_000, description="Longest commit interval of a worker that is behind."
    )
    min_commit_interval_ms: int = Field(20, ge=1, le=10_000, description="Shortest commit interval.")
    timer_interval_ms: int = Field(1000, ge=10, le=60_000, description="Timer poll interval.")
    refresh_interval_ms: int = Field(
        DAY_MS, ge=0, description="How often profiles with data in any window are re-published; 0 disables it."
    )
    stream_lateness_ms: int = Field(
        DAY_MS, ge=0, description='With the clock "stream": by how much an event may be older than one before it.'
    )
    stream_idle_ms: int = Field(
        5000, ge=100, description='With the clock "stream": silence after which an input at its end is not waited for.'
    )
    batch_records: int = Field(4000, ge=1, description="Maximum number of records per fetch.")
    commit_records: int = Field(50_000, ge=1, description="Consumed records after which a transaction commits early.")
    transaction_timeout_ms: int = Field(
        15_000, ge=1000, le=900_000, description="Time after which the brokers abort a transaction."
    )
    session_timeout_ms: int = Field(6000, ge=1000, description="Consumer-group session timeout.")
    cached_rows: int = Field(
        100_000, ge=100, description="Decoded rows cached per table, by a worker with all partitions."
    )
    block_cache_bytes: int = Field(
        256 << 20, ge=1 << 20, description="Size of the RocksDB block cache, shared by all partitions."
    )
    write_buffers_bytes: int = Field(
        192 << 20, ge=1 << 20, description="Limit for RocksDB's unwritten rows, of all tables and partitions together."
    )
    open_files: int = Field(2560, ge=160, description="RocksDB table files kept open, by a worker with all partitions.")
    poison_share: float = Field(0.5, gt=0, le=1, description="Share of bad records in a window that stops the worker.")
    poison_window: int = Field(20_000, ge=100, description="Records in a window of STITCHLINE_POISON_SHARE.")
    http_host: str = Field("127.0.0.1", description="Address of /metrics, /livez and /readyz.")
    http_port: int = Field(0, ge=0, le=65535, description="Port of /metrics, /livez and /readyz; 0 disables them.")
    collect_host: str = Field("127.0.0.1", description="Address on which `stitchline collect` takes events.")
    collect_port: int = Field(8088, ge=0, le=65535, description="Port of the collector; 0 chooses a free one.")
    collect_tls_cert: Path | None = Field(
        None, description="PEM file with the collector's certificate and its chain. Unset: plain HTTP."
    )
    collect_tls_key: Path | None = Field(None, description="PEM file with the key of the certificate.")
    collect_trusted_proxies: str = Field(
        "", description="Networks of proxies whose X-Forwarded-For is believed, as in 10.0.0.0/8,127.0.0.1."
    )
    collect_public_url: str = Field(
        "", description="Base URL under which vendors reach the collector's webhooks; HubSpot and Square sign it."
    )
    collect_max_body_bytes: int = Field(
        2 << 20, ge=1 << 10, le=15 << 20, description="Limit of a request's body, before and after decompression."
    )
    collect_spool_bytes: int = Field(
        1 << 30, ge=1 << 20, description="Limit of the collector's spool, which takes events while Kafka is away."
    )
    collect_ack_timeout_ms: int = Field(
        2000, ge=50, le=25_000, description="How long the collector waits for Kafka before it spools events."
    )
    collect_access_log: bool = Field(False, description="Log every request of the collector, without its query.")
    database_url: SecretStr = Field(
        SecretStr(""),
        description="Database of the read model: postgresql://user:password@host/name. Empty: SQLite in the home.",
    )
    serve_host: str = Field("127.0.0.1", description="Address on which `stitchline serve` answers.")
    serve_port: int = Field(8090, ge=0, le=65535, description="Port of the API; 0 chooses a free one.")
    serve_public_url: str = Field(
        "",
        pattern=r"^(https?://[^/\s]+)?$",
        description="URL under which browsers reach the console through a proxy. https makes its cookies Secure.",
    )
    oidc_issuer: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="OpenID provider at which people sign in to the console. Empty: none.",
    )
    oidc_client_id: str = Field("", description="The console's id at the provider.")
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="The console's secret at the provider.")
    oidc_client_secret_file: Path | None = Field(None, description="File with the secret, instead of the variable.")
    oidc_scopes: str = Field("openid profile email", description="Scopes that are requested of the provider.")
    oidc_name_claim: str = Field("email", min_length=1, description="Claim of the ID token with the user's name.")
    oidc_role_claim: str = Field(
        "groups",
        min_length=1,
        description="Claim with the values that STITCHLINE_OIDC_ROLES maps, or a path with dots.",
    )
    oidc_roles: str = Field(
        "",
        description="VALUE=ROLE[,VALUE=ROLE]: a person's first value decides. Without one: no access.",
    )
    oidc_tenant: str = Field(
        "default", pattern=r"^[a-z0-9_-]+$", description="Tenant of the people that the provider signs in."
    )
    oidc_label: str = Field("single sign-on", description="The provider's name on the sign-in page.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged.")

    def __init__(self, **values: Any) -> None:
        """Reads the environment. ``values`` take precedence over it.

        Raises:
            SettingsError: A value is not valid for its setting, or a variable belongs to no setting.
        """
        _refuse_unknown(os.environ)
        try:
            super().__init__(**values)
        except ValidationError as error:
            problems = error.errors(include_input=False, include_url=False)
            message = "; ".join(f"{variable(str(problem['loc'][0]))}: {problem['msg']}" for problem in problems)
            raise SettingsError(message) from error
        if self.security_protocol.startswith("sasl") and not self.sasl_mechanism:
            message = f"{variable('sasl_mechanism')}: write the mechanism of {self.security_protocol}, such as PLAIN"
            raise SettingsError(message)

    def kafka(self) -> dict[str, str | int]:
        """Returns the configuration that every librdkafka client of this process shares."""
        config: dict[str, str | int] = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": self.security_protocol,
        }
        if self.sasl_mechanism:
            config["sasl.mechanism"] = self.sasl_mechanism
            config["sasl.username"] = self.sasl_username
            config["sasl.password"] = self.sasl_password.get_secret_value()
        if self.ssl_ca_location:
            config["ssl.ca.location"] = self.ssl_ca_location
        return config

    def stage_names(self) -> tuple[str, ...]:
        """Returns the names of the stages this worker runs, in the order given."""
        return tuple(name.strip() for name in self.stages.split(",") if name.strip())


def variable(name: str) -> str:
    """Returns the environment variable of a setting."""
    return f"{Settings.model_config['env_prefix']}{name}".upper()


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    """Raise SettingsError if a variable has our prefix and belongs to no setting."""
    known = [variable(name) for name in Settings.model_fields]
    unknown = [name for name in _ours(environment) if name.upper() not in known]
    if unknown:
        problems = []
        for name in unknown:
            close = get_close_matches(name.upper(), known, 1)
            problems.append(f"{name}: there is no such setting" + (f"; did you mean {close[0]}?" if close else ""))
        message = "; ".join(problems) + "; see: stitchline config show, with the variable unset"
        raise SettingsError(message)


def _ours(environment: Mapping[str, str]) -> Iterable[str]:
    for name, value in environment.items():
        if name.upper().startswith(variable("")) and name not in _OF_TESTS:
            is_url = name.endswith("_PORT") and "://" in value
            if not is_url and not _OF_KUBERNETES.fullmatch(name):
                yield name
