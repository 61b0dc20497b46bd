"""What the pages read and do: over the read model, and where the read model has no answer over Kafka and the rules.

Methods take the tenant of the signed-in person first, and never return anything of another tenant. Those of
:mod:`~pipeline.serve.console.data.quarantine` are of the whole deployment, because a record that cannot be decoded has
no tenant; they need the right to operate. Methods that reach Kafka raise OperatorError or KafkaException if it is away.
"""

from pathlib import Path
from typing import NamedTuple

from pipeline.clock import Clock
from pipeline.serve.console.data.accounts import AccountData
from pipeline.serve.console.data.arrivals import ArrivalsWatch
from pipeline.serve.console.data.audit import AuditData
from pipeline.serve.console.data.customers import CustomerData
from pipeline.serve.console.data.leads import LeadData
from pipeline.serve.console.data.overview import OverviewData
from pipeline.serve.console.data.pulse import Pulse
from pipeline.serve.console.data.quarantine import QuarantineData
from pipeline.serve.console.data.rights import RightsData
from pipeline.serve.console.data.rules import RuleData
from pipeline.serve.console.data.segments import SegmentData
from pipeline.serve.console.data.triggers import TriggerData
from pipeline.serve.read.reads import Reads
from pipeline.settings import Settings


class ConsoleData(NamedTuple):
    """The readers of all pages. ``close`` it when done: the pulse and the arrivals follow Kafka in threads."""

    overview: OverviewData
    pulse: Pulse
    customers: CustomerData
    accounts: AccountData
    leads: LeadData
    segments: SegmentData
    triggers: TriggerData
    rules: RuleData
    quarantine: QuarantineData
    arrivals: ArrivalsWatch
    audit: AuditData
    rights: RightsData

    def close(self) -> None:
        """Makes the threads end."""
        self.pulse.close()
        self.arrivals.close()


def console_data(reads: Reads, rights: RightsData, settings: Settings, audit: Path, clock: Clock) -> ConsoleData:
    """Wires the readers. ``audit`` is the folder of the audit log."""
    leads = LeadData(reads)
    return ConsoleData(
        overview=OverviewData(reads),
        pulse=Pulse(settings, clock),
        customers=CustomerData(reads, leads),
        accounts=AccountData(reads, leads),
        leads=leads,
        segments=SegmentData(reads),
        triggers=TriggerData(reads),
        rules=RuleData(reads, Path(settings.rules_dir) if settings.rules_dir else None),
        quarantine=QuarantineData(reads.context.store, settings),
        arrivals=ArrivalsWatch(settings),
        audit=AuditData(audit, clock),
        rights=rights,
    )
