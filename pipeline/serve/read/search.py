"""Search by e-mail address, telephone number, or the beginnings of names."""

from typing import Final, Literal, TypeAlias

from sqlalchemy import Connection, Select, select

from pipeline.errors import MisuseError
from pipeline.serve.model.tables import terms
from pipeline.serve.model.terms import EMAIL, NAME, PHONE, PHONE_END, after_prefix, digits_of, folded, words_of
from pipeline.serve.read.context import ReadContext
from pipeline.serve.read.resolve import Found, find_profile

By: TypeAlias = Literal["email", "phone", "name"]
MIN_CHARACTERS: Final = 2
MIN_DIGITS: Final = 4
MAX_WORDS: Final = 5


class QueryError(MisuseError, ValueError):
    """The query is too short or too long. Operator action: ``str(error)`` states what to write."""


class SearchReads:
    """Searches the profiles of one tenant."""

    def __init__(self, context: ReadContext) -> None:
        self._context = context

    def find(self, tenant: str, query: str, *, by: By | None = None, limit: int = 20) -> list[Found]:
        """Returns the first profiles that match, in the order of ids.

        Without ``by``, a query with ``@`` is an address, one of digits a telephone number, any other a name. All words
        of a name must match, each as the beginning of a word.

        Raises:
            QueryError: the query is too short to search for, or has too many words.
        """
        statement = _statement(tenant, query, by or _kind_of(query)).limit(limit)
        with self._context.store.reading() as connection:
            rows = connection.execute(statement).all()
            return [found for (profile_id,) in rows if (found := self._found(connection, tenant, profile_id))]

    def _found(self, connection: Connection, tenant: str, profile_id: str) -> Found | None:
        return find_profile(connection, self._context.naming, tenant, profile_id)


def _kind_of(query: str) -> By:
    if "@" in query:
        return EMAIL
    return PHONE if digits_of(query) and not any(character.isalpha() for character in query) else NAME


def _statement(tenant: str, query: str, by: By) -> Select[str]:
    if by == PHONE:
        return _phone(tenant, digits_of(query), is_international=query.strip().startswith(("+", "00")))
    words = [folded(query)] if by == EMAIL else words_of(query)
    if not words or min(map(len, words)) < MIN_CHARACTERS or len(words) > MAX_WORDS:
        message = f"search for {MIN_CHARACTERS} characters of a word at least, and for {MAX_WORDS} words at most"
        raise QueryError(message)
    statement = _with_prefix(tenant, by, words[0])
    for word in words[1:]:
        statement = statement.where(terms.c.profile_id.in_(_with_prefix(tenant, by, word)))
    return statement.order_by(terms.c.profile_id)


def _phone(tenant: str, digits: str, *, is_international: bool) -> Select[str]:
    digits = digits.lstrip("0")
    if len(digits) < MIN_DIGITS:
        message = f"search for {MIN_DIGITS} digits of a telephone number at least"
        raise QueryError(message)
    if is_international:
        return _with_prefix(tenant, PHONE, digits).order_by(terms.c.profile_id)
    return _with_prefix(tenant, PHONE_END, digits[::-1]).order_by(terms.c.profile_id)


def _with_prefix(tenant: str, kind: str, prefix: str) -> Select[str]:
    matches = (terms.c.tenant == tenant, terms.c.kind == kind)
    begins = (terms.c.term >= prefix, terms.c.term < after_prefix(prefix))
    return select(terms.c.profile_id).distinct().where(*matches, *begins)
