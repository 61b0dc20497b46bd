"""Schema ids: from a Confluent-compatible registry where one is configured, else the schema files' own.

    ids = schema_ids(url)                        # FileIds, or a Registry
    ids.id_of("cdp.crm.actions.v1", "crm-action")  # what an Encoder writes
    ids.writer(7)                                # what a Decoder asks on meeting an id for the first time

One schema per topic under the subject ``<topic>-value`` (TopicNameStrategy), values only: keys are plain strings.
"""

from typing import Any, Protocol, Self
from urllib.parse import quote, urlsplit

import httpx2

import schemas
from pipeline.errors import OperatorError
from pipeline.retries import retry_context
from schemas.level import level

ATTEMPTS = 4
TIMEOUT_SECONDS = 5.0
MAX_ID = 2**31 - 1
_MEDIA = "application/vnd.schemaregistry.v1+json"


class RegistryError(OperatorError):
    """The registry did not do what was asked. ``str(error)`` says what the operator should do; no password is in it."""


class RegistryUnavailableError(RegistryError):
    """No answer, after retries. Operator action: start the registry, or correct STITCHLINE_SCHEMA_REGISTRY_URL."""


class IncompatibleSchemaError(RegistryError):
    """The subject holds versions that this schema breaks; usually a foreign producer registered another schema there.

    Operator action: the message names the subject and the registry's reason.
    """


class SchemaIds(Protocol):
    """Where schema ids come from."""

    def id_of(self, topic: str, name: str) -> int:
        """The id under which a schema's current file is written to a topic (its full name on the broker)."""
        ...

    def writer(self, number: int) -> str | None:
        """The schema text behind an id; None if there certainly is none."""
        ...


class FileIds:
    """The ids in ``schemas/ids.json``: nothing to run, nothing to ask."""

    def id_of(self, topic: str, name: str) -> int:  # noqa: ARG002  one id per schema, whatever the topic
        """The id of the newest released version."""
        return schemas.own_id(name)

    def writer(self, number: int) -> str | None:
        """The text of a released version."""
        return schemas.text_of_own_id(number)


def schema_ids(url: str) -> "FileIds | Registry":
    """The registry at a base URL, for example ``http://registry:8081``; the files' own ids for an empty one."""
    return Registry(url) if url else FileIds()


class Registry:
    """A thin client of a Confluent-compatible registry. Calls block, at most ``ATTEMPTS`` times ``timeout_seconds``.

    ``url`` may carry credentials (``https://user:password@host``). Close it when done; it is a context manager.

    Raises (every method):
        RegistryUnavailableError: no answer or a server error, after retries.
        RegistryError: it refused; the message says what to do.
    """

    def __init__(self, url: str, *, timeout_seconds: float = TIMEOUT_SECONDS, attempts: int = ATTEMPTS) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            message = "STITCHLINE_SCHEMA_REGISTRY_URL must look like http://registry:8081"
            raise RegistryError(message)
        self._where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._attempts = attempts
        self._http = httpx2.Client(
            base_url=url.rstrip("/"), timeout=timeout_seconds, headers={"accept": f"{_MEDIA}, application/json"}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def id_of(self, topic: str, name: str) -> int:
        """Register a schema's current file for a topic, or find it there, after setting the subject's compatibility.

        Raises:
            IncompatibleSchemaError: the subject's versions and this schema cannot share the topic.
        """
        subject = subject_of(topic)
        known_id = self.find(topic, name)
        if known_id is not None:
            return known_id
        self._ask("PUT", f"/config/{quote(subject, safe='')}", {"compatibility": level(name).value})
        answer = self._ask("POST", f"{_subject_path(subject)}/versions", _schema(name))
        if answer.status_code == httpx2.codes.CONFLICT:
            message = (
                f"schema registry {self._where}: {name}.avsc is not {level(name)} with the versions of subject "
                f"{subject} ({_reason(answer)}). Another schema was registered there: correct STITCHLINE_TOPIC_PREFIX "
                "or STITCHLINE_SCHEMA_REGISTRY_URL, or delete the foreign versions"
            )
            raise IncompatibleSchemaError(message)
        return self._number(answer)

    def find(self, topic: str, name: str) -> int | None:
        """The id of a schema's current file under a topic's subject; None if it is not registered. Changes nothing."""
        answer = self._ask("POST", _subject_path(subject_of(topic)), _schema(name))
        return None if answer.status_code == httpx2.codes.NOT_FOUND else self._number(answer)

    def writer(self, number: int) -> str | None:
        """The schema text behind an id, also behind the files' own ids; None if the registry knows no such id."""
        if (own := schemas.text_of_own_id(number)) is not None:
            return own
        if number > MAX_ID:
            return None
        answer = self._ask("GET", f"/schemas/ids/{number}")
        if answer.status_code == httpx2.codes.NOT_FOUND:
            return None
        schema = self._body(answer).get("schema")
        if not isinstance(schema, str):
            raise self._odd(answer)
        return schema

    def _ask(self, method: str, path: str, body: dict[str, str] | None = None) -> httpx2.Response:
        """One request, repeated while the registry is away. Answers below 500 are the caller's."""
        try:
            for attempt in retry_context(on=_is_transient, attempts=self._attempts, wait_initial=0.1, wait_max=2.0):
                with attempt:
                    answer = self._http.request(method, path, json=body, headers={"content-type": _MEDIA})
                    if answer.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR:
                        answer.raise_for_status()
        except httpx2.HTTPStatusError as error:
            message = f"schema registry {self._where} answers {error.response.status_code}; see its log"
            raise RegistryUnavailableError(message) from error
        except httpx2.TransportError as error:
            message = (
                f"schema registry {self._where} does not answer ({type(error).__name__}); start it, correct "
                "STITCHLINE_SCHEMA_REGISTRY_URL, or unset it to use the schema files' own ids"
            )
            raise RegistryUnavailableError(message) from error
        if answer.status_code in {httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN}:
            message = (
                f"schema registry {self._where} refused {method} ({answer.status_code}); give the URL credentials that "
                "may read and register, or have its owner register the schemas and set their compatibility"
            )
            raise RegistryError(message)
        return answer

    def _number(self, answer: httpx2.Response) -> int:
        number = self._body(answer).get("id")
        if not isinstance(number, int):
            raise self._odd(answer)
        return number

    def _body(self, answer: httpx2.Response) -> dict[str, Any]:
        try:
            body = answer.json() if answer.is_success else None
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise self._odd(answer)
        return body

    def _odd(self, answer: httpx2.Response) -> RegistryError:
        message = (
            f"schema registry {self._where} gave no usable answer ({answer.status_code}: {_reason(answer)}); is the "
            "URL the base of its Confluent API, without /subjects?"
        )
        return RegistryError(message)


def subject_of(topic: str) -> str:
    """The subject of a topic's values."""
    return f"{topic}-value"


def _subject_path(subject: str) -> str:
    return f"/subjects/{quote(subject, safe='')}"


def _schema(name: str) -> dict[str, str]:
    return {"schema": schemas.text(name), "schemaType": "AVRO"}


def _is_transient(error: Exception) -> bool:
    """Whether trying again can help: the network's errors and the server's."""
    return isinstance(error, httpx2.TransportError | httpx2.HTTPStatusError)


def _reason(answer: httpx2.Response) -> str:
    """The registry's own words, shortened."""
    try:
        body = answer.json()
    except ValueError:
        body = answer.text
    message = body.get("message", "") if isinstance(body, dict) else body
    return str(message).replace("\n", " ")[:300] or "no reason given"
