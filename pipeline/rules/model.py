"""The loaded rules: all settings that marketers own, read once and passed to the stages."""

import msgspec

from pipeline.event.rules import IdentifierType, IntakeRules
from pipeline.identity.rules import IdentityRules
from pipeline.profile.journey.rules import JourneyRules
from pipeline.profile.rules import AggregateRules
from pipeline.route.rules import RoutingRules
from pipeline.rules.crm import CrmRules
from pipeline.rules.sources import SourceRules
from pipeline.score.prediction import PredictionModel
from pipeline.score.rules import ScoreRules
from pipeline.segment.rules import SegmentRules
from pipeline.trigger.rules import TriggerRules


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The checked content of one rules directory. The docstrings of the structs describe their fields."""

    intake: IntakeRules
    identifiers: tuple[IdentifierType, ...]
    """The part of ``identifiers.yaml`` that INTAKE reads."""
    identity: IdentityRules
    """The part of ``identifiers.yaml`` that STITCH reads."""
    aggregates: AggregateRules
    journeys: JourneyRules
    scores: ScoreRules
    segments: SegmentRules
    triggers: TriggerRules
    routing: RoutingRules
    sources: SourceRules = SourceRules()
    """Read by the collector only, and no part of the rules' version."""
    crm: CrmRules = CrmRules()
    """The content of ``crm.yaml``. Only CRM sinks read it, so it is not part of the rules' version."""
    model: PredictionModel | None = None
    """The content of ``model.json``, which ``stitchline model fit`` writes; None if the directory has none."""

    @property
    def identifier_types(self) -> tuple[str, ...]:
        """The names of the declared identifier types."""
        return tuple(kind.name for kind in self.identifiers)
