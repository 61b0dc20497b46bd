"""Every rules file, named once, with the struct that says what may stand in it."""

from typing import Any, Final

import msgspec

from pipeline.event.rules import IdentifierType, IntakeRules
from pipeline.identity.rules import IdentityRules, IdentityType
from pipeline.profile.journey.rules import JourneyRules
from pipeline.profile.rules import AggregateRules
from pipeline.route.rules import RoutingRules
from pipeline.score.rules import ScoreRules
from pipeline.segment.rules import SegmentRules
from pipeline.trigger.rules import TriggerRules


class RulesFile(msgspec.Struct, frozen=True):
    """A file of a rules directory."""

    name: str
    """With its ending: ``aggregates.yaml``."""
    shape: type[msgspec.Struct]
    """What the file is checked and described as."""
    title: str

    @property
    def topic(self) -> str:
        """The name without its ending."""
        return self.name.removesuffix(".yaml")


PARTS: Final[dict[type[msgspec.Struct], tuple[type[msgspec.Struct], ...]]] = {}
"""What a combined struct is made of: the docstrings of its fields stand there."""


def combined(name: str, *parts: type[msgspec.Struct], **replaced: Any) -> type[msgspec.Struct]:
    """A struct with the fields of all parts, for a file that several stages read a part of each.

    A field that two parts declare is checked as the first declares it.
    """
    fields: dict[str, Any] = {}
    for part in parts:
        for field in msgspec.structs.fields(part):
            fields.setdefault(field.name, _definition(field, replaced.get(field.name, field.type)))
    fields |= {key: (key, kind) for key, kind in replaced.items() if key not in fields}

    def conditions(self: Any) -> None:
        for part in parts:
            getattr(part, "__post_init__", _none)(self)

    namespace = {"__post_init__": conditions}
    made = msgspec.defstruct(
        name, list(fields.values()), frozen=True, kw_only=True, forbid_unknown_fields=True, namespace=namespace
    )
    PARTS[made] = parts
    return made


def _none(_: Any) -> None:
    """The conditions of a struct that has none."""


def _definition(field: msgspec.structs.FieldInfo, kind: Any) -> tuple[Any, ...]:
    if field.required:
        return field.name, kind
    if field.default_factory is not msgspec.NODEFAULT:
        return field.name, kind, msgspec.field(default_factory=field.default_factory)
    return field.name, kind, field.default


IDENTIFIER: Final = combined("IdentifierType", IdentifierType, IdentityType)
IDENTIFIERS: Final = combined("IdentifierRules", IdentityRules, types=tuple[IDENTIFIER, ...])  # type: ignore[valid-type]

FILES: Final = (
    RulesFile("intake.yaml", IntakeRules, "What INTAKE accepts and how it reads it"),
    RulesFile(
        "identifiers.yaml",
        IDENTIFIERS,
        "Which identifiers there are, and how far they tie customers together",
    ),
    RulesFile("aggregates.yaml", AggregateRules, "What is counted and summed for every profile"),
    RulesFile("journeys.yaml", JourneyRules, "Carts, attribution, and what customers state"),
    RulesFile("scores.yaml", ScoreRules, "Points for what customers do, and how they fade"),
    RulesFile("segments.yaml", SegmentRules, "Who belongs together, by what they did and what is known of them"),
    RulesFile("triggers.yaml", TriggerRules, "When a customer is worth telling the CRM about"),
    RulesFile("routing.yaml", RoutingRules, "Which representative a lead goes to"),
)
"""In the order of the walk, which is the order in which problems are shown."""
