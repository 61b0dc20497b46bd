"""Looks up what a webhook only names, before it is acknowledged: the sender repeats a delivery that is not."""

from typing import Final
from urllib.parse import quote

import httpx2
from msgspec import structs

from connectors.collect.dialects.parsed import Parsed, object_of, read_object
from connectors.collect.webhooks.meta import FIELDS, LEAD_ID, with_answers
from pipeline.event.result import Rejected

TIMEOUT_SECONDS: Final = 10.0
MAX_LEADS: Final = 50
"""In one delivery."""
GONE: Final = frozenset({400, 404})
"""Statuses of leads that do not exist, or that the token may not see for good: the event is kept with its ids."""


class LookUpError(Exception):
    """The API did not answer, or refused. The message holds no personal data and no token."""


class MetaLeads:
    """Reads leads from Meta's Graph API."""

    def __init__(self, graph_url: str, access_token: bytes) -> None:
        self._url = graph_url.rstrip("/")
        self._headers = {"authorization": f"Bearer {access_token.decode(errors='replace')}"}

    async def complete(self, parsed: Parsed) -> Parsed:
        """Returns the leads with their answers.

        Raises:
            LookUpError: the API does not answer now, or refuses the token.
        """
        if len(parsed.items) > MAX_LEADS:
            message = f"{len(parsed.items)} leads in one delivery, the limit is {MAX_LEADS}"
            raise LookUpError(message)
        async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, headers=self._headers) as http:
            items = []
            for item in parsed.items:
                document = item.document
                number = "" if isinstance(document, Rejected) else document["identifiers"].get(LEAD_ID, "")
                if number and not isinstance(document, Rejected):
                    lead = await self._lead(http, number)
                    item = structs.replace(item, document=with_answers(document, lead))  # noqa: PLW2901
                items.append(item)
        return structs.replace(parsed, items=items)

    async def _lead(self, http: httpx2.AsyncClient, number: str) -> dict[str, object]:
        try:
            answer = await http.get(f"{self._url}/{quote(number, safe='')}", params={"fields": FIELDS})
        except httpx2.HTTPError as error:
            message = f"the Graph API did not answer: {type(error).__name__}"
            raise LookUpError(message) from error
        if answer.status_code in GONE:
            return {}
        if answer.status_code != httpx2.codes.OK:
            message = f"the Graph API answered {answer.status_code}"
            raise LookUpError(message)
        read = read_object(answer.content)
        if isinstance(read, Rejected):
            message = "the Graph API answered with no JSON object"
            raise LookUpError(message)
        return object_of(read)
