"""The programs that BottleCRM needs: a Python >= 3.12 with the package installed, and PostgreSQL.

The environment is cached by the package's version, so only the first run on a machine installs it (2 minutes).
"""

import fcntl
import re
import shutil
import subprocess
import sys
from pathlib import Path

from pipeline.local.fetch import cache_dir

VERSION = "1.35.0"
REQUIREMENTS = (f"django-crm=={VERSION}", "gunicorn==27.0.1")
MIN_PYTHON = (3, 12)
POSTGRES = ("initdb", "postgres", "pg_dump")


class MissingProgramError(Exception):
    """The machine lacks a program. The message names it and how to get it."""


def bottlecrm_python() -> Path:
    """The Python of an environment that has BottleCRM; installs it on first use.

    Raises:
        MissingProgramError: there is no Python >= 3.12, or the package cannot be installed.
    """
    folder = cache_dir() / "crm"
    folder.mkdir(parents=True, exist_ok=True)
    environment = folder / f"bottlecrm-{VERSION}"
    python = environment / "bin" / "python"
    with (folder / "bottlecrm.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (environment / ".ready").exists():
            _install(environment, _newer_python())
            (environment / ".ready").touch()
    return python


def postgres_programs() -> Path:
    """The folder of PostgreSQL's server programs.

    Raises:
        MissingProgramError: there is none.
    """
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_number, reverse=True)
    on_path = shutil.which("initdb")
    for folder in [*([Path(on_path).parent] if on_path else []), *folders]:
        if all((folder / program).exists() for program in POSTGRES):
            return folder
    message = f"no PostgreSQL server ({', '.join(POSTGRES)}); on Debian: apt-get install postgresql"
    raise MissingProgramError(message)


def _number(folder: Path) -> int:
    return int(re.sub(r"\D", "", folder.parent.name) or 0)


def _newer_python() -> str:
    """A Python that BottleCRM runs on: this one, one on the path, or one of pyenv."""
    names = [sys.executable, *(f"python3.{minor}" for minor in range(12, 20))]
    names += [str(one) for one in sorted((Path.home() / ".pyenv" / "versions").glob("3.*/bin/python"))]
    for name in names:
        if (program := shutil.which(name)) and _version(program) >= MIN_PYTHON:
            return program
    message = f"no Python >= {MIN_PYTHON[0]}.{MIN_PYTHON[1]} on the path or in ~/.pyenv/versions"
    raise MissingProgramError(message)


def _version(program: str) -> tuple[int, ...]:
    code = "import sys; print(sys.version_info[0], sys.version_info[1])"
    shown = subprocess.run([program, "-c", code], capture_output=True, text=True, check=False)
    return tuple(int(part) for part in shown.stdout.split()) if shown.returncode == 0 else (0,)


def _install(environment: Path, python: str) -> None:
    steps: list[list[str | Path]] = [
        [python, "-m", "venv", "--clear", environment],
        [
            environment / "bin" / "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            *REQUIREMENTS,
        ],
    ]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            message = f"{REQUIREMENTS[0]} could not be installed: {done.stderr.strip()[-300:]}"
            raise MissingProgramError(message)
