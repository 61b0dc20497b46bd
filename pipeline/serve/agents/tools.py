"""The tools: questions about customers, answered from the read model. Scopes and masking are those of the API."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import msgspec
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError

from pipeline.condition.errors import ConditionError
from pipeline.query.naming import NotAnIdentifierError, is_profile_id
from pipeline.serve.access.masking import masked
from pipeline.serve.access.principal import Principal
from pipeline.serve.agents.bounded import bounded
from pipeline.serve.api.services import Services
from pipeline.serve.read.leads import LeadFilter
from pipeline.serve.read.pages import CursorError
from pipeline.serve.read.resolve import Found
from pipeline.serve.read.search import QueryError

Answer: TypeAlias = dict[str, Any]
CallerOf: TypeAlias = Callable[[Context[Any]], Principal]
MAX_LIMIT: Final = 50
_SUMMARY: Final = ("profile_id", "status", "grade", "scores", "segments", "last_seen_ms", "identifiers")
"""Fields of a profile in lists; ``profile`` returns all of them."""


class Tools:
    """One method for each tool. ``caller_of`` returns the caller of a request."""

    def __init__(self, services: Services, caller_of: CallerOf) -> None:
        self._services, self._reads, self._caller_of = services, services.reads, caller_of

    def find_customer(self, context: Context[Any], query: str, limit: int = 5) -> Answer:
        """Find customers by identifier (type:value), profile id, e-mail address, telephone number or name.

        Returns summaries; call profile with a profile_id for everything.
        """
        caller = self._caller_of(context)
        if ":" in query or is_profile_id(query.lower()):
            found = self._find(caller, query)
            return self._answer(context, "find_customer", {"customers": [_summary(found)]}, [found.profile_id])
        if not caller.sees_personal_data:
            message = "searching for people needs a key with the scope read:pii; use an identifier or a profile id"
            raise ToolError(message)
        try:
            matches = self._reads.search.find(caller.tenant, query, limit=_within(limit))
        except QueryError as error:
            raise ToolError(str(error)) from error
        view = {"customers": [_summary(one) for one in matches]}
        return self._answer(context, "find_customer", view, [one.profile_id for one in matches])

    def profile(self, context: Context[Any], customer: str) -> Answer:
        """Return what is known of a customer (identifier or profile id): traits, aggregates, scores, segments, cart."""
        found = self._find(self._caller_of(context), customer)
        profile: Answer = msgspec.json.decode(found.body)
        return self._answer(context, "profile", profile, [found.profile_id])

    def timeline(self, context: Context[Any], customer: str, limit: int = 20, cursor: str = "") -> Answer:
        """Return a customer's touches and CRM activities, newest first. Pass the cursor of an answer for older ones."""
        found = self._find(self._caller_of(context), customer)
        try:
            page = self._reads.timeline.page(found.tenant, found.profile_id, limit=_within(limit), cursor=cursor)
        except CursorError as error:
            raise ToolError(str(error)) from error
        return self._answer(context, "timeline", _there(page), [found.profile_id])

    def explain_score(self, context: Context[Any], customer: str) -> Answer:
        """Return each score of a customer with what every rule contributes. Contributions sum exactly to the score."""
        found = self._find(self._caller_of(context), customer)
        scores = _there(self._reads.profiles.scores(found.tenant, found.profile_id))
        return self._answer(context, "explain_score", scores, [found.profile_id])

    def why_linked(self, context: Context[Any], a: str, b: str) -> Answer:
        """Return why two identifiers are one customer, or which limit or decision keeps them apart."""
        caller = self._caller_of(context)
        try:
            facts = self._reads.identity.why(caller.tenant, a, b)
        except NotAnIdentifierError as error:
            raise ToolError(str(error)) from error
        return self._answer(context, "why_linked", facts, facts["profile_ids"])

    def segment_preview(self, context: Context[Any], condition: str) -> Answer:
        """Count the customers for which a condition holds now, such as: events over 7 d >= 3. Changes nothing."""
        try:
            preview = self._reads.preview.count(self._caller_of(context).tenant, condition)
        except ConditionError as error:
            raise ToolError(str(error)) from error
        return self._answer(context, "segment_preview", preview, [])

    def leads(
        self, context: Context[Any], customer: str = "", owner: str = "", limit: int = 10, cursor: str = ""
    ) -> Answer:
        """Return leads, newest first, with owner, the reason for that owner, and what the CRM holds of each.

        ``customer`` (identifier or profile id) or ``owner`` selects leads.
        """
        caller = self._caller_of(context)
        profile_id = self._find(caller, customer).profile_id if customer else ""
        chosen = LeadFilter(profile_id=profile_id, owner=owner)
        try:
            page = self._reads.leads.page(caller.tenant, chosen, limit=_within(limit), cursor=cursor)
        except CursorError as error:
            raise ToolError(str(error)) from error
        view = msgspec.to_builtins(page)
        return self._answer(context, "leads", view, [lead["profile_id"] for lead in view["items"]])

    def _find(self, caller: Principal, text: str) -> Found:
        try:
            found = self._reads.profiles.find(caller.tenant, text)
        except NotAnIdentifierError as error:
            raise ToolError(str(error)) from error
        if found is None:
            message = "there is no such customer"
            raise ToolError(message)
        return found

    def _answer(self, context: Context[Any], tool: str, value: Any, profile_ids: Sequence[str]) -> Answer:
        """Returns an answer: bounded, and masked or recorded in the audit log, by the caller's scopes."""
        caller = self._caller_of(context)
        view = msgspec.to_builtins(value)
        if caller.sees_personal_data:
            self._services.audit.record(caller.actor, caller.tenant, f"tool {tool}", profile_ids)
        else:
            view = masked(view)
        return bounded(view)


def _summary(found: Found) -> Answer:
    profile = msgspec.json.decode(found.body)
    return {name: profile[name] for name in _SUMMARY}


def _there(view: Any) -> Any:
    if view is None:  # its ledgers are on their way to another profile
        message = "nothing is known of this profile yet"
        raise ToolError(message)
    return view


def _within(limit: int) -> int:
    return max(1, min(limit, MAX_LIMIT))
