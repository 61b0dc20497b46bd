"""The current access key of a CRM: fetched once, and again when it is refused, by one caller at a time."""

from collections.abc import Callable
from threading import Lock

import msgspec

from connectors.crm.fault import StoppedError


class Key(msgspec.Struct, frozen=True):
    """An access key, and where it is valid."""

    text: str
    url: str = ""
    """Base URL of the API by the answer to the login; "" if the connection's is valid."""


class AccessKey:
    """The current access key. Of several callers that meet the same refused key, one fetches the next.

    Callers that wait for a fetch which fails get its error, too, and fetch none of their own: a CRM limits logins.

    Raises (every method):
        StoppedError: The login is refused, limited or not answered.
        SecretError: A secret is not where the connection refers to.
    """

    def __init__(self, fetch: Callable[[], Key | str]) -> None:
        self._fetch, self._lock = fetch, Lock()
        self._key: Key | None = None
        self._fetches = 0
        self._error: StoppedError | None = None

    def current(self) -> Key:
        """Returns the key, fetched at the first call."""
        return self._key or self._next(None, self._fetches)

    def after(self, refused: Key) -> Key:
        """Returns the key that replaces a refused one; the refused one itself if there is no other."""
        return self._next(refused, self._fetches)

    def _next(self, refused: Key | None, seen: int) -> Key:
        with self._lock:
            if self._key is not None and self._key != refused:
                return self._key
            if self._error is not None and seen != self._fetches:
                raise self._error
            self._fetches += 1
            try:
                fetched = self._fetch()
            except StoppedError as error:
                self._error = error
                raise
            self._error = None
            self._key = Key(fetched) if isinstance(fetched, str) else fetched
            return self._key
