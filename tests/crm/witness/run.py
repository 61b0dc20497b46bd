"""Drives each emulator with the vendor's own client library: ``python -m tests.crm.witness.run [SCRIPT…]``.

The scripts ``…_client`` write as our sinks do. The scripts ``…_reads`` read what our readers read, request by request
(:mod:`.reading`), while records are changed by hand (:mod:`.read_steps`).

Every client has an environment of its own under ``.witness``, which the first run installs. A client that cannot be
installed is reported as NOT TESTED, and the exit code is 3 if no client failed otherwise.
"""

import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.crm.dynamics.emulator import Dynamics
from tests.crm.emulator import Crm
from tests.crm.hubspot_emulator import HubSpot
from tests.crm.salesforce.emulator import Salesforce
from tests.crm.witness import read_steps
from tests.crm.witness.reading import Reading
from tests.crm.zoho.emulator import Zoho
from tests.support.crm_server import served

HERE = Path(__file__).parent
CACHE = HERE.parents[2] / ".witness"
INSTALL_SECONDS, RUN_SECONDS = 900, 300
FAILED, NOT_TESTED = 1, 3


class Witness(NamedTuple):
    """One client library."""

    package: str
    script: str
    crm: Callable[[], Crm | Reading]

    @property
    def folder(self) -> Path:
        return CACHE / self.package.partition("==")[0].partition("@")[0]

    @property
    def is_node(self) -> bool:
        return self.script.endswith(".cjs")


WITNESSES = (
    Witness("simple-salesforce==1.12.10", "simple_salesforce_client.py", Salesforce),
    Witness("simple-salesforce==1.12.10", "simple_salesforce_reads.py", read_steps.salesforce),
    Witness("hubspot-api-client==12.0.0", "hubspot_client.py", HubSpot),
    Witness("hubspot-api-client==12.0.0", "hubspot_reads.py", read_steps.hubspot),
    Witness("hubspot-sdk==0.1.0a9", "hubspot_journal_reads.py", read_steps.hubspot_journal),
    Witness("dynamics-web-api@2.5.0", "dynamics_web_api_client.cjs", Dynamics),
    Witness("dynamics-web-api@2.5.0", "dynamics_web_api_reads.cjs", read_steps.dynamics),
    Witness("zohocrmsdk8-0==7.0.0", "zoho_client.py", Zoho),
    Witness("zohocrmsdk8-0==7.0.0", "zoho_reads.py", read_steps.zoho),
)


def install(witness: Witness) -> None:
    """Installs the client, if it is not there. Raises CalledProcessError or OSError."""
    ready = witness.folder / ".ready"
    if ready.exists():
        return
    shutil.rmtree(witness.folder, ignore_errors=True)
    if witness.is_node:
        witness.folder.mkdir(parents=True)
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", witness.package]
        _run(command, witness.folder, INSTALL_SECONDS)
    else:
        venv.create(witness.folder, with_pip=True)
        pip = [str(witness.folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, witness.package], witness.folder, INSTALL_SECONDS)
    ready.touch()


def drive(witness: Witness) -> None:
    """Runs the client against a fresh emulator. Raises SubprocessError, or AssertionError if it left something out."""
    crm = witness.crm()
    if isinstance(crm, Crm):
        crm.prepare()
    program = "node" if witness.is_node else str(witness.folder / "bin/python")
    with served(crm) as url:
        if isinstance(crm, Zoho):
            crm.api = url
        if isinstance(crm, Reading):
            crm.serve_at(url)
        _run([program, str(HERE / witness.script), url], witness.folder, RUN_SECONDS)
    if isinstance(crm, Reading):
        assert crm.is_over, "the client has not taken every step"
        assert not crm.missing, f"the client has not sent {crm.missing[:3]}"
    kinds = sorted({re.sub(r"[\w-]*\d[\w-]{9,}|(?<=/)\w{32}", "ID", call) for call in crm.calls})
    print(f"{witness.script}, {witness.package}: ok, {len(crm.calls)} requests: {', '.join(kinds)}")


def _run(command: Sequence[str], folder: Path, seconds: int) -> None:
    environment = {**os.environ, "NODE_PATH": str(folder / "node_modules")}
    subprocess.run(command, cwd=folder, check=True, timeout=seconds, env=environment)


def main(only: Sequence[str]) -> int:
    """Runs the witnesses whose script's name begins with one of ``only``, or all. Returns the exit code."""
    code = 0
    for witness in WITNESSES:
        if only and not witness.script.startswith(tuple(only)):
            continue
        try:
            install(witness)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"{witness.package}: NOT TESTED, it could not be installed ({error})")
            code = code or NOT_TESTED
            continue
        try:
            drive(witness)
        except (subprocess.SubprocessError, AssertionError) as error:
            print(f"{witness.script}, {witness.package}: FAILED ({error})")
            code = FAILED
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
