"""The rules files: the one list of their names, each with the struct that defines its content."""

from typing import Any, Final

import msgspec

from pipeline.event.rules import IdentifierType, IntakeRules
from pipeline.identity.rules import IdentityRules, IdentityType
from pipeline.profile.journey.rules import JourneyRules
from pipeline.profile.rules import AggregateRules
from pipeline.route.rules import RoutingRules
from pipeline.rules.crm import CrmRules
from pipeline.rules.sources import SourceRules
from pipeline.score.rules import ScoreRules
from pipeline.segment.rules import SegmentRules
from pipeline.trigger.rules import TriggerRules


class RulesFile(msgspec.Struct, frozen=True):
    """A file of a rules directory."""

    name: str
    """File name with extension: ``aggregates.yaml``."""
    shape: type[msgspec.Struct]
    """The struct that the file is checked against, and from which its JSON Schema is made."""
    title: str

    @property
    def topic(self) -> str:
        """The name without its extension."""
        return self.name.removesuffix(".yaml")


PARTS: Final[dict[type[msgspec.Struct], tuple[type[msgspec.Struct], ...]]] = {}
"""By combined struct: the structs it is made of, which have the docstrings of its fields."""


def combined(name: str, *parts: type[msgspec.Struct], **replaced: Any) -> type[msgspec.Struct]:
    """Returns a struct with the fields of all parts, for a file of which several stages read a part each.

    A field that two parts declare has the type and the default of the first one.
    """
    fields: dict[str, Any] = {}
    for part in parts:
        for field in msgspec.structs.fields(part):
            fields.setdefault(field.name, _definition(field, replaced.get(field.name, field.type)))
    fields |= {key: (key, kind) for key, kind in replaced.items() if key not in fields}

    def check(self: Any) -> None:
        for part in parts:
            getattr(part, "__post_init__", _check_nothing)(self)

    namespace = {"__post_init__": check}
    struct = msgspec.defstruct(
        name, list(fields.values()), frozen=True, kw_only=True, forbid_unknown_fields=True, namespace=namespace
    )
    PARTS[struct] = parts
    return struct


def _check_nothing(_: Any) -> None:
    """The check of a struct without ``__post_init__``."""


def _definition(field: msgspec.structs.FieldInfo, kind: Any) -> tuple[Any, ...]:
    if field.required:
        return field.name, kind
    if field.default_factory is not msgspec.NODEFAULT:
        return field.name, kind, msgspec.field(default_factory=field.default_factory)
    return field.name, kind, field.default


IDENTIFIER: Final = combined("IdentifierType", IdentifierType, IdentityType)
IDENTIFIERS: Final = combined("IdentifierRules", IdentityRules, types=tuple[IDENTIFIER, ...])  # type: ignore[valid-type]

FILES: Final = (
    RulesFile("intake.yaml", IntakeRules, "The events that INTAKE accepts, and how it reads them"),
    RulesFile("identifiers.yaml", IDENTIFIERS, "Identifier types, and how far each may link customers"),
    RulesFile("aggregates.yaml", AggregateRules, "Counts, sums and other aggregates of every profile"),
    RulesFile("journeys.yaml", JourneyRules, "Carts, attribution, survey answers and preferences"),
    RulesFile("scores.yaml", ScoreRules, "Points for behaviour and traits, and how they fade"),
    RulesFile("segments.yaml", SegmentRules, "Segments of customers, by behaviour and traits"),
    RulesFile("triggers.yaml", TriggerRules, "When a customer becomes a lead for the CRM"),
    RulesFile("routing.yaml", RoutingRules, "The representative that gets each lead"),
    RulesFile("sources.yaml", SourceRules, "The senders that the collector takes events from"),
    RulesFile("crm.yaml", CrmRules, "The CRMs that leads are delivered to"),
)
"""In the order in which the files are read, which is the order in which problems are shown."""
