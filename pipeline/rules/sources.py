"""The sources that may send events to the collector. ``sources.yaml`` is read into these structs."""

import re
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from pipeline.event.model import Channel
from pipeline.profile.rules import unique
from pipeline.rules.tracking_plan import TrackingPlan

Dialect: TypeAlias = Literal["segment", "rudderstack", "json", "cloudevents", "posthog", "snowplow"]
Vendor: TypeAlias = Literal[
    "bottlecrm", "google", "hubspot", "mailgun", "meta", "sendgrid", "shopify", "square", "standard", "stripe", "zoho"
]
MAX_KEYS: Final = 8
_ORIGIN: Final = re.compile(r"\*|[a-z][a-z0-9+.-]*://(\*\.)?[A-Za-z0-9._-]+(:[0-9]{1,5})?")
_FIELD: Final = re.compile(r"(properties|traits|context|identifiers)(\.[^.\s]+)+|userId|anonymousId")


class Webhook(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A vendor that may post to ``/webhooks/VENDOR/SOURCE``."""

    vendor: Vendor
    secret_files: tuple[str, ...]
    """Files with one signing secret or public key each. All are valid, so that one can replace another without loss."""
    verify_token_file: str = ""
    """Of meta: file with the token by which Meta confirms the endpoint."""
    access_token_file: str = ""
    """Of meta: file with the page's access token, with which leads are looked up. Empty: events hold ids only."""
    graph_url: str = "https://graph.facebook.com/v24.0"
    """Of meta: where leads are looked up."""

    def __post_init__(self) -> None:
        if self.vendor != "meta" and (self.verify_token_file or self.access_token_file):
            msg = f"verify_token_file and access_token_file are for meta, and the vendor is {self.vendor}"
            raise ValueError(msg)
        if not self.secret_files:
            msg = "secret_files is empty; name a file with the vendor's signing secret"
            raise ValueError(msg)


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sender of events. Its name is the ``source`` of its events."""

    name: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9._-]*$", max_length=64)]
    tenant: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]*$", max_length=64)] = "default"
    """Tenant of all events of this source, whatever they state."""
    channel: Channel
    """Channel of all events of this source, whatever they state."""
    write_keys: tuple[Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$")], ...] = ()
    """SHA-256 of each valid write key. `stitchline sources add` and `stitchline sources rotate` make keys."""
    dialects: tuple[Dialect, ...] = ("segment", "rudderstack", "json", "cloudevents", "posthog", "snowplow")
    """Dialects that the write keys may be used for."""
    webhooks: tuple[Webhook, ...] = ()
    origins: tuple[str, ...] = ()
    """Origins whose pages may send: https://shop.example, https://*.shop.example, or * for all. Empty: no page may,
    only servers and apps."""
    rate: Annotated[float, Meta(ge=0)] = 0
    """Events per second and collector process. Above it the answer is 429 with Retry-After. 0: no limit."""
    daily_cap: Annotated[int, Meta(ge=0)] = 0
    """Events per UTC day and collector process. Above it the answer is 429 until midnight. 0: no limit."""
    drop: tuple[str, ...] = ()
    """Fields to remove before an event is stored, as in properties.card_number or traits.birthday."""
    hash: tuple[str, ...] = ()
    """Fields to replace by a keyed hash, as in traits.email. Needs hash_key_file."""
    hash_key_file: str = ""
    """File with the key of the hashes. Equal values give equal hashes while the key stays the same."""
    ip: Literal["anonymise", "keep", "drop"] = "anonymise"
    """What becomes of the sender's address: anonymise keeps 24 bits of IPv4 and 48 of IPv6."""
    bots: Literal["keep", "drop"] = "keep"
    """Events of crawlers by their user agent: kept and marked with context.bot, or dropped and counted."""
    sample: Annotated[float, Meta(gt=0, le=1)] = 1
    """Share of visitors whose events are kept. A visitor's events are kept or dropped together, by a hash of the
    anonymous id, else of the user id; dropped ones are counted. 1: all."""
    plan: TrackingPlan | None = None
    """The events that this source sends, with their properties. None: any."""

    def __post_init__(self) -> None:
        if len(self.write_keys) > MAX_KEYS:
            msg = f"write_keys has more than {MAX_KEYS} keys; remove those that no sender uses any more"
            raise ValueError(msg)
        for origin in self.origins:
            if _ORIGIN.fullmatch(origin) is None:
                msg = f"origins has {origin!r}, which is no origin; write https://shop.example without a path"
                raise ValueError(msg)
        for name, fields in (("drop", self.drop), ("hash", self.hash)):
            for field in fields:
                if _FIELD.fullmatch(field) is None:
                    msg = f"{name} has {field!r}, which is no field; write properties.NAME, traits.NAME or context.NAME"
                    raise ValueError(msg)
        if self.hash and not self.hash_key_file:
            msg = "hash needs a key; write hash_key_file: with the path of a file that holds it"
            raise ValueError(msg)
        unique("vendor", [webhook.vendor for webhook in self.webhooks])


class SourceRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``sources.yaml``, which only the collector uses."""

    sources: tuple[Source, ...] = ()

    def __post_init__(self) -> None:
        unique("source", [source.name for source in self.sources])
        keys = [key for source in self.sources for key in source.write_keys]
        if len(keys) != len(set(keys)):
            msg = "sources has one write key twice; make a new one for each source with: stitchline sources rotate"
            raise ValueError(msg)
