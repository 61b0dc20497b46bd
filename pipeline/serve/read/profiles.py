"""Profiles: by any identifier or id, in batches, and everything known of one of them."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection

from pipeline.profile.view import profile_view, score_view
from pipeline.query.naming import NotAnIdentifierError
from pipeline.serve.read.context import ReadContext
from pipeline.serve.read.resolve import Found, find_profile

MAX_BATCH: Final = 100


class ProfileReads:
    """Reads profiles."""

    def __init__(self, context: ReadContext) -> None:
        self._context = context

    def find(self, tenant: str, text: str) -> Found | None:
        """Returns the current profile of ``type:value`` or of an id, old or new; None if there is none.

        Raises:
            NotAnIdentifierError: the text is neither an identifier nor a profile id.
        """
        with self._context.store.reading() as connection:
            return find_profile(connection, self._context.naming, tenant, text)

    def find_all(self, tenant: str, texts: Sequence[str]) -> list[Found | None]:
        """Returns the profile of each text, in order, all from one committed state.

        Raises:
            NotAnIdentifierError: a text is neither an identifier nor a profile id.
        """
        with self._context.store.reading() as connection:
            return [find_profile(connection, self._context.naming, tenant, text) for text in texts]

    def look_up(self, tenant: str, texts: Sequence[str]) -> list[tuple[str, Found | NotAnIdentifierError | None]]:
        """Returns each text with its current profile, why it is no identifier, or None; all from one moment."""
        with self._context.store.reading() as connection:
            return [(text, self._found(connection, tenant, text)) for text in texts]

    def _found(self, connection: Connection, tenant: str, text: str) -> Found | NotAnIdentifierError | None:
        try:
            return find_profile(connection, self._context.naming, tenant, text)
        except NotAnIdentifierError as error:
            return error

    def detail(self, tenant: str, profile_id: str) -> dict[str, Any] | None:
        """Returns everything known of a current profile as of now, as ``profile show --json`` prints it; or None."""
        with self._context.store.reading() as connection:
            row = self._context.state(connection, tenant, profile_id)
        if row is None or not row.anchors:
            return None
        return profile_view(profile_id, row, self._context.compiled, self._context.as_of_ms(row))

    def scores(self, tenant: str, profile_id: str) -> dict[str, Any] | None:
        """Returns every score as of now with the contributions that sum to it; None for an unknown profile."""
        with self._context.store.reading() as connection:
            row = self._context.state(connection, tenant, profile_id)
        if row is None or not row.anchors:
            return None
        as_of_ms, scorer = self._context.as_of_ms(row), self._context.compiled.scorer
        ledgers = row.ledgers()
        return {
            "profile_id": profile_id,
            "as_of_ms": as_of_ms,
            "grade": scorer.grade(scorer.values(ledgers, as_of_ms)),
            "scores": [score_view(score) for score in scorer.read(ledgers, as_of_ms)],
        }
