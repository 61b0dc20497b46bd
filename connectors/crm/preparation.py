"""Checks and creates what a sink needs in its CRM: our fields, the mapped fields, active owners."""

from collections.abc import Iterator
from typing import Final

from connectors.crm.fault import StoppedError
from connectors.crm.gateway import Gateway
from connectors.crm.sink import Action, Finding
from connectors.crm.split import Written
from connectors.crm.work import Owner, Work
from pipeline.rules.crm import CrmConnection

TEST_ACTION: Final = "00000000000000000000000000000000"


class Preparation:
    """The set-up of one connection."""

    def __init__(self, connection: CrmConnection, gateway: Gateway) -> None:
        self._connection, self._gateway = connection, gateway

    def check(self) -> list[Finding]:
        """Returns the deviations from what the sink needs, or one finding that there is none. Changes nothing.

        Raises:
            SinkError: A right is missing.
        """
        try:
            findings = [Finding(False, one.text) for one in self._gateway.missing()]
            findings += [] if findings else self._mappings()
        except StoppedError as stopped:
            return [self._not_available(stopped)]
        return findings or [Finding(True, f"{self._gateway.crm} has everything that {self._connection.name} needs")]

    def run(self, *, dry_run: bool) -> list[Finding]:
        """Creates what is missing, then writes a test object twice and expects one. Deletes it afterwards.

        Raises:
            SinkError: A right is missing.
        """
        findings = []
        try:
            for one in self._gateway.missing():
                if one.create is None or dry_run:
                    findings.append(Finding(False, one.text))
                elif words := one.create():
                    findings.append(Finding(False, f"{one.text}: {words}"))
                else:
                    findings.append(Finding(True, one.text.replace("missing", "created", 1)))
            self._gateway.forget()
            if not dry_run and all(finding.ok for finding in findings):
                findings.append(self._self_test())
        except StoppedError as stopped:
            findings.append(self._not_available(stopped))
        return findings or [Finding(True, "nothing to do")]

    def _not_available(self, stopped: StoppedError) -> Finding:
        return Finding(False, f"{self._gateway.crm} is not available now: {stopped.pause.reason}")

    def _mappings(self) -> Iterator[Finding]:
        gateway = self._gateway
        gateway.forget()
        fields, owners = gateway.fields(gateway.home), gateway.owners()
        for written in self._connection.fields:
            if written.to not in fields:
                text = f"field {written.to} of crm.yaml is no {gateway.home.lower()} property of {gateway.crm}"
                yield Finding(False, f"{text}: it is left out of every {gateway.home.lower()}")
        named = [(f"owner {owner.id} of {owner.rep}", owner.id) for owner in self._connection.owners]
        named += [("fallback_owner", self._connection.fallback_owner)] if self._connection.fallback_owner else []
        for what, owner_id in named:
            if owner_id not in owners:
                yield Finding(False, f"{what} is no active owner in {gateway.crm}")

    def _self_test(self) -> Finding:
        gateway = self._gateway
        what, action = gateway.home.lower(), Action(0, 0, {"action_id": TEST_ACTION})
        ids = []
        for revision in ("1", "2"):
            sent = {**gateway.test_values, gateway.names.action: TEST_ACTION, gateway.names.revision: revision}
            work = Work(action, Owner("", ""), gateway.names, object=gateway.home, sent=sent)
            (result,) = gateway.upsert([work], "")
            if not isinstance(result, Written):
                return Finding(False, f"self-test: the test {what} was not written: {result.words}")
            ids.append(result.id)
        refused = [one.words for object_id in sorted(set(ids)) if (one := gateway.delete(gateway.home, object_id))]
        if len(set(ids)) > 1:
            return Finding(
                False, f"self-test: two {what}s {ids} under one action id; is {gateway.names.action} unique?"
            )
        if refused:
            return Finding(False, f"self-test: the test {what} {ids[0]} was not deleted: {refused[0]}; delete it")
        return Finding(True, f"self-test: a {what} written twice is there once; it was deleted again")
