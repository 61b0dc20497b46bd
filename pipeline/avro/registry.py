"""Schema ids: from a Confluent-compatible registry if one is configured, else from ``schemas/ids.json``.

    ids = schema_ids(url)                        # FileIds, or a Registry
    ids.id_of("cdp.crm.actions.v1", "crm-action")  # the id that an Encoder writes
    ids.writer(7)                                # the schema that a Decoder looks up on the first record with id 7

Each topic has one schema under the subject ``<topic>-value`` (TopicNameStrategy). Only values have schemas: keys are
plain strings.
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
    """A request to the registry failed.

    Operator action: ``str(error)`` states it. The text never contains the URL's password.
    """


class RegistryUnavailableError(RegistryError):
    """The registry did not answer, after retries.

    Operator action: start the registry, or correct STITCHLINE_SCHEMA_REGISTRY_URL.
    """


class IncompatibleSchemaError(RegistryError):
    """The schema is incompatible with the subject's versions. Usually a foreign producer registered another schema.

    Operator action: the message names the subject and the registry's reason.
    """


class SchemaIds(Protocol):
    """A source of schema ids."""

    def id_of(self, topic: str, name: str) -> int:
        """Returns the id of a schema's current file for records of ``topic``, the full topic name."""
        ...

    def writer(self, number: int) -> str | None:
        """Returns the text of the schema with an id, or None if it is certain that no schema has this id."""
        ...


class FileIds:
    """The ids in ``schemas/ids.json``. Needs no server."""

    def id_of(self, topic: str, name: str) -> int:  # noqa: ARG002  one id per schema, whatever the topic
        """Returns the id of the newest released version."""
        return schemas.own_id(name)

    def writer(self, number: int) -> str | None:
        """Returns the text of a released version, or None."""
        return schemas.text_of_own_id(number)


def schema_ids(url: str) -> "FileIds | Registry":
    """Returns the registry at a base URL such as ``http://registry:8081``, or :class:`FileIds` if ``url`` is empty."""
    return Registry(url) if url else FileIds()


class Registry:
    """A thin client of a Confluent-compatible registry. Calls block, at most ``ATTEMPTS`` times ``timeout_seconds``.

    ``url`` may contain credentials (``https://user:password@host``). Use as a context manager or close it when done.

    Raises (every method):
        RegistryUnavailableError: no answer or a server error, after retries.
        RegistryError: the registry refused the request; the message states what to do.
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
        """Closes the connections."""
        self._http.close()

    def id_of(self, topic: str, name: str) -> int:
        """Returns the id of a schema's current file for a topic. Registers the file if it is not registered yet.

        Sets the subject's compatibility level before registering.

        Raises:
            IncompatibleSchemaError: the schema is incompatible with the subject's versions.
        """
        subject = subject_of(topic)
        known_id = self.find(topic, name)
        if known_id is not None:
            return known_id
        self._request("PUT", f"/config/{quote(subject, safe='')}", {"compatibility": level(name).value})
        answer = self._request("POST", f"{_subject_path(subject)}/versions", _schema(name))
        if answer.status_code == httpx2.codes.CONFLICT:
            message = (
                f"schema registry {self._where}: {name}.avsc is not {level(name)} with the versions of subject "
                f"{subject} ({_reason(answer)}). Another schema was registered there: correct STITCHLINE_TOPIC_PREFIX "
                "or STITCHLINE_SCHEMA_REGISTRY_URL, or delete the foreign versions"
            )
            raise IncompatibleSchemaError(message)
        return self._number(answer)

    def find(self, topic: str, name: str) -> int | None:
        """Returns the id of a schema's current file for a topic, or None if it is not registered. Changes nothing."""
        answer = self._request("POST", _subject_path(subject_of(topic)), _schema(name))
        return None if answer.status_code == httpx2.codes.NOT_FOUND else self._number(answer)

    def writer(self, number: int) -> str | None:
        """Returns the text of the schema with an id of ``schemas/ids.json`` or of the registry, else None."""
        if (own := schemas.text_of_own_id(number)) is not None:
            return own
        if number > MAX_ID:
            return None
        answer = self._request("GET", f"/schemas/ids/{number}")
        if answer.status_code == httpx2.codes.NOT_FOUND:
            return None
        schema = self._body(answer).get("schema")
        if not isinstance(schema, str):
            raise self._unusable(answer)
        return schema

    def _request(self, method: str, path: str, body: dict[str, str] | None = None) -> httpx2.Response:
        """Sends a request, repeating it while the registry is unavailable.

        Returns every answer below status 500 except 401 and 403, which raise RegistryError.
        """
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
            raise self._unusable(answer)
        return number

    def _body(self, answer: httpx2.Response) -> dict[str, Any]:
        try:
            body = answer.json() if answer.is_success else None
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise self._unusable(answer)
        return body

    def _unusable(self, answer: httpx2.Response) -> RegistryError:
        message = (
            f"schema registry {self._where} gave no usable answer ({answer.status_code}: {_reason(answer)}); is the "
            "URL the base of its Confluent API, without /subjects?"
        )
        return RegistryError(message)


def subject_of(topic: str) -> str:
    """Returns the subject of a topic's values."""
    return f"{topic}-value"


def _subject_path(subject: str) -> str:
    return f"/subjects/{quote(subject, safe='')}"


def _schema(name: str) -> dict[str, str]:
    return {"schema": schemas.text(name), "schemaType": "AVRO"}


def _is_transient(error: Exception) -> bool:
    """Returns whether a repetition can help: for network errors and for server errors."""
    return isinstance(error, httpx2.TransportError | httpx2.HTTPStatusError)


def _reason(answer: httpx2.Response) -> str:
    """Returns the registry's own error message, at most 300 characters."""
    try:
        body = answer.json()
    except ValueError:
        body = answer.text
    message = body.get("message", "") if isinstance(body, dict) else body
    return str(message).replace("\n", " ")[:300] or "no reason given"
