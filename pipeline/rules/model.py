"""The rules in force: everything a marketer may decide, read once and handed to the stages."""

import msgspec

from pipeline.event.rules import IdentifierType, IntakeRules
from pipeline.identity.rules import IdentityRules
from pipeline.profile.journey.rules import JourneyRules
from pipeline.profile.rules import AggregateRules
from pipeline.route.rules import RoutingRules
from pipeline.score.prediction import PredictionModel
from pipeline.score.rules import ScoreRules
from pipeline.segment.rules import SegmentRules
from pipeline.trigger.rules import TriggerRules


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """One directory of rules files, checked. What each field means stands in the docstrings of its struct."""

    intake: IntakeRules
    identifiers: tuple[IdentifierType, ...]
    """What INTAKE knows of ``identifiers.yaml``."""
    identity: IdentityRules
    """What STITCH knows of it."""
    aggregates: AggregateRules
    journeys: JourneyRules
    scores: ScoreRules
    segments: SegmentRules
    triggers: TriggerRules
    routing: RoutingRules
    model: PredictionModel | None = None
    """``model.json``, if the directory has one: what ``stitchline model fit`` wrote."""

    @property
    def identifier_types(self) -> tuple[str, ...]:
        """The names of the declared identifier types."""
        return tuple(kind.name for kind in self.identifiers)
