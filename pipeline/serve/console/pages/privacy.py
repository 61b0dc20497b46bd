"""Requests of persons: written out, erased, refused or admitted, each behind a confirmation; and their receipts.

Identifiers are in bodies of forms only, so that neither a URL nor the browser's history holds one.
"""

from collections import Counter
from typing import Final

from confluent_kafka import KafkaException
from starlette.responses import RedirectResponse, Response

from pipeline.errors import MisuseError, OperatorError
from pipeline.event.identifier import type_of
from pipeline.kafka.faults import explained_fault
from pipeline.privacy.person import Person
from pipeline.privacy.requests import RightKind
from pipeline.serve.console.guard import NotFoundError, Visit
from pipeline.serve.console.views import PersonRequest

KINDS: Final[dict[str, RightKind]] = {"erase": "erase", "suppress": "opt_out", "admit": "opt_in"}
"""What forms send, as operators know it from the command line, to the kind of request."""
NAMES: Final = {kind: name for name, kind in KINDS.items()}
MAX_CHARS: Final = 500
NEWEST: Final = 100


class ConfirmationError(MisuseError):
    """The form does not confirm the request. ``str(error)`` states what to write."""


def privacy(visit: Visit, message: str = "", status: int = 200) -> Response:
    """Returns the form of a request, and the requests that were sent."""
    requests: list[PersonRequest] | None = None
    fault = ""
    try:
        requests = visit.console.data.rights.all(visit.user.tenant)[:NEWEST]
    except (OperatorError, KafkaException) as error:
        fault = explained_fault(error)
    return visit.page(
        "privacy.html", status, requests=requests, fault=fault, message=message, names=NAMES, most=MAX_CHARS,
        identifier=visit.form.get("identifier", ""), why=visit.form.get("why", ""),
    )  # fmt: skip


def confirm(visit: Visit) -> Response:
    """Returns the page that shows the person of a request, with a form that takes the identifier a second time."""
    try:
        name, named, why = _requested(visit)
    except MisuseError as error:
        return privacy(visit, str(error), 400)
    return _confirmation(visit, name, named, why, status=200, message="")


def send(visit: Visit) -> Response:
    """Sends a request that the form confirms, recorded before it is sent, and leads to its status."""
    try:
        name, named, why = _requested(visit)
    except MisuseError as error:
        return privacy(visit, str(error), 400)
    try:
        _check_again(visit, named)
    except MisuseError as error:
        return _confirmation(visit, name, named, why, status=400, message=str(error))
    data, user = visit.console.data, visit.user
    person = data.rights.find(named)
    if name == "erase" and visit.form.get("suppress") == "yes":
        data.audit.record(user.tenant, user.name, "privacy suppress", person.profile_ids)
        data.rights.send(KINDS["suppress"], person, user.name, why)
    data.audit.record(user.tenant, user.name, f"privacy {name}", person.profile_ids)
    request_id = data.rights.send(KINDS[name], person, user.name, why)
    return RedirectResponse(f"/privacy/requests/{request_id}", 303)


def access(visit: Visit) -> Response:
    """Returns everything that is held about a person as a ZIP file. The read is recorded before it is sent."""
    data, user = visit.console.data, visit.user
    try:
        named = data.rights.named(user.tenant, visit.form.get("identifier", "").strip()[:MAX_CHARS])
    except MisuseError as error:
        return privacy(visit, str(error), 400)
    person, content = data.rights.written_out(named)
    data.audit.record(user.tenant, user.name, "privacy access", person.profile_ids)
    headers = {"content-disposition": 'attachment; filename="person.zip"'}
    return Response(content, media_type="application/zip", headers=headers)


def request(visit: Visit) -> Response:
    """Returns one request: what each stage has done, and until when the logs hold the rest."""
    return visit.page("privacy_request.html", request=_one(visit), names=NAMES)


def live(visit: Visit) -> Response:
    """Returns the part of the request's page that changes, or nothing while Kafka is away: the page tries again."""
    try:
        return visit.page("privacy_receipt.html", request=_one(visit), names=NAMES)
    except (OperatorError, KafkaException):
        return Response(status_code=204)


def _one(visit: Visit) -> PersonRequest:
    found = visit.console.data.rights.one(visit.user.tenant, visit.path("request_id"))
    if found is None:
        message = "There is no such request of this tenant, or STITCH has not decided it yet."
        raise NotFoundError(message)
    return found


def _requested(visit: Visit) -> tuple[str, Person, str]:
    """Returns the form's kind of request, person and reason.

    Raises:
        NotAnIdentifierError: the text is not an identifier.
        ConfirmationError: there is no reason, or no such kind of request.
    """
    name, why = visit.form.get("kind", ""), visit.form.get("why", "").strip()
    if name not in KINDS:
        message = f"There is no such request; there are {', '.join(KINDS)}."
        raise ConfirmationError(message)
    named = visit.console.data.rights.named(visit.user.tenant, visit.form.get("identifier", "").strip()[:MAX_CHARS])
    if not why or len(why) > MAX_CHARS or "\0" in why:
        message = f"State the reason in at most {MAX_CHARS} characters, such as the number of a ticket."
        raise ConfirmationError(message)
    return name, named, why


def _check_again(visit: Visit, named: Person) -> None:
    """Raises ConfirmationError or NotAnIdentifierError unless the identifier was typed a second time."""
    again = visit.console.data.rights.named(visit.user.tenant, visit.form.get("again", "").strip()[:MAX_CHARS])
    if again.identifiers != named.identifiers:
        message = "The two identifiers differ. Nothing was sent."
        raise ConfirmationError(message)


def _confirmation(visit: Visit, name: str, named: Person, why: str, *, status: int, message: str) -> Response:
    person = visit.console.data.rights.find(named)
    return visit.page(
        "privacy_confirm.html", status, kind=name, why=why, message=message, identifier=visit.form["identifier"],
        types=sorted(Counter(map(type_of, person.identifiers)).items()), most=MAX_CHARS,
        suppress=visit.form.get("suppress") == "yes",
    )  # fmt: skip
