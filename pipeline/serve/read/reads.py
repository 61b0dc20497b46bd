"""All queries over one read model: what the API, the console and the tools for agents call.

reads = Reads(store, rules)
reads.profiles.find("default", "email:ada@example.org")
reads.timeline.page("default", profile_id, limit=20)
"""

from pipeline.clock import Clock, wall_clock_ms
from pipeline.rules.model import Rules
from pipeline.serve.model.store import Store
from pipeline.serve.read.accounts import AccountReads
from pipeline.serve.read.context import ReadContext
from pipeline.serve.read.feed import FeedReads
from pipeline.serve.read.identity import IdentityReads
from pipeline.serve.read.journeys import AttributionReads
from pipeline.serve.read.leads import LeadReads
from pipeline.serve.read.overview import OverviewReads
from pipeline.serve.read.preview import PreviewReads
from pipeline.serve.read.profiles import ProfileReads
from pipeline.serve.read.search import SearchReads
from pipeline.serve.read.segments import SegmentReads
from pipeline.serve.read.timeline import TimelineReads


class Reads:
    """The queries, grouped by what they read. Thread-safe."""

    def __init__(self, store: Store, rules: Rules, clock: Clock = wall_clock_ms) -> None:
        context = ReadContext(store, rules, clock)
        self.context = context
        self.profiles = ProfileReads(context)
        self.timeline = TimelineReads(context)
        self.segments = SegmentReads(context)
        self.leads = LeadReads(context)
        self.search = SearchReads(context)
        self.feed = FeedReads(context)
        self.identity = IdentityReads(context)
        self.preview = PreviewReads(context)
        self.accounts = AccountReads(context)
        self.attribution = AttributionReads(context)
        self.overview = OverviewReads(context)
