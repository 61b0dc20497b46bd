"""The sources in force: rules of ``sources.yaml``, with limits that count, secrets that are read, and look-ups."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from connectors.collect.limits import DailyCap, Rate
from connectors.collect.origins import Origins
from connectors.collect.personal import PersonalFields
from connectors.collect.sample import Sample
from connectors.collect.tracking import PlanCheck, Violations
from connectors.collect.webhooks.look_up import MetaLeads
from connectors.collect.write_keys import MAX_KEY_CHARS, hash_of
from pipeline.errors import SecretError
from pipeline.event.parse import Defaults
from pipeline.rules.sources import Source, SourceRules, Vendor

MAX_SECRET_BYTES: Final = 16 << 10
SIGN_URL: Final = frozenset({"hubspot", "square"})
"""Vendors that sign the public URL of the endpoint."""


class LiveSource:
    """A source with its counters. One per source and process."""

    def __init__(
        self,
        rules: Source,
        folder: Path,
        cap: DailyCap | None = None,
        rate: Rate | None = None,
        violations: Violations | None = None,
    ) -> None:
        """``folder`` is where relative paths of secret files begin. The others continue earlier counters.

        Raises:
            SecretError: a secret file cannot be read.
        """
        self.rules = rules
        self.name = rules.name
        self.defaults = Defaults(tenant=rules.tenant, source=rules.name, channel=rules.channel)
        self.origins = Origins(rules.origins)
        self.rate = rate or Rate(rules.rate)
        self.cap = cap or DailyCap(rules.daily_cap)
        self.violations = violations or Violations()
        self.plan = PlanCheck(rules.plan, self.violations) if rules.plan else None
        self.sample = Sample(rules.sample)
        self.dialects = frozenset(rules.dialects)
        self.secrets: Mapping[Vendor, tuple[bytes, ...]] = {
            webhook.vendor: tuple(_secret(folder / file) for file in webhook.secret_files) for webhook in rules.webhooks
        }
        self.verify_tokens: dict[str, bytes] = {
            webhook.vendor: _secret(folder / webhook.verify_token_file)
            for webhook in rules.webhooks
            if webhook.verify_token_file
        }
        self.look_ups: dict[str, MetaLeads] = {
            webhook.vendor: MetaLeads(webhook.graph_url, _secret(folder / webhook.access_token_file))
            for webhook in rules.webhooks
            if webhook.access_token_file
        }
        self.needs_public_url = any(webhook.vendor in SIGN_URL for webhook in rules.webhooks)
        key = _secret(folder / rules.hash_key_file) if rules.hash else b""
        self.personal = PersonalFields(rules.drop, rules.hash, key)

    def secrets_of(self, vendor: str) -> tuple[bytes, ...]:
        """Returns the valid secrets of a vendor's webhooks; none if the source does not take them."""
        return next((secrets for name, secrets in self.secrets.items() if name == vendor), ())


class Sources:
    """All sources, by name and by the hash of their write keys."""

    def __init__(self, sources: Iterable[LiveSource]) -> None:
        self._by_name = {source.name: source for source in sources}
        self._by_hash = {key: source for source in self._by_name.values() for key in source.rules.write_keys}
        self._by_key: dict[str, LiveSource] = {}
        """Keys that were used, which are hashed once."""
        self.origins = Origins(origin for source in self._by_name.values() for origin in source.rules.origins)
        """The origins of all sources, for preflights, which carry no key."""

    def with_key(self, key: str) -> LiveSource | None:
        """Returns the source of a write key."""
        source = self._by_key.get(key)
        if source is None and 0 < len(key) <= MAX_KEY_CHARS:
            source = self._by_hash.get(hash_of(key))
            if source is not None:
                self._by_key[key] = source
        return source

    def named(self, name: str) -> LiveSource | None:
        """Returns the source of a name."""
        return self._by_name.get(name)

    def all(self) -> Iterable[LiveSource]:
        """Returns every source in the order of the file."""
        return self._by_name.values()


def live_sources(
    rules: SourceRules,
    folder: Path,
    earlier: Sources | None = None,
    violations: Mapping[str, Violations] = MappingProxyType({}),
) -> Sources:
    """Returns the sources of the rules. Counters of ``earlier`` sources go on where the limit is unchanged.

    ``violations`` are the counts of an earlier process by source.

    Raises:
        SecretError: a secret file cannot be read.
    """
    result = []
    for source in rules.sources:
        before = earlier.named(source.name) if earlier else None
        rate = before.rate if before and before.rules.rate == source.rate else None
        cap = DailyCap(source.daily_cap, before.cap.day, before.cap.taken) if before else None
        counts = before.violations if before else violations.get(source.name)
        result.append(LiveSource(source, folder, cap, rate, counts))
    return Sources(result)


def _secret(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            secret = file.read(MAX_SECRET_BYTES).strip()
    except OSError as error:
        message = f"secret file {path}: {error.strerror}; create it, or correct its path in sources.yaml"
        raise SecretError(message) from error
    if not secret:
        message = f"secret file {path} is empty; write the secret into it"
        raise SecretError(message)
    return secret
