"""The demo as a person runs it: one command, no Java on the path, nothing left behind but what it promises."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support import children
from tests.support.waiting import deadline_seconds, eventually

COMMAND = [sys.executable, "-m", "pipeline.cli", "demo", "--people", "200", "--events", "4000", "--seconds", "4"]
FIRST_LEAD_SECONDS = 60.0
SIGN_IN = re.compile(r"Sign in as (\S+) with the password (\S+) ")


def processes_of(home: Path) -> dict[int, str]:
    """Command lines of the processes that work in a home folder, or were started with it in their environment."""
    result = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            shown = (entry / "cmdline").read_bytes()
            if str(home).encode() in shown + (entry / "environ").read_bytes():
                result[int(entry.name)] = shown.replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    return result


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """No Java, nor anything else, on the path; no setting of whoever runs the tests."""
    empty = tmp_path / "path"
    empty.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STITCHLINE_")}
    return {**kept, "PATH": str(empty), "STITCHLINE_HOME": str(tmp_path / "home")}


@pytest.fixture
def running(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A demo that has begun to play."""
    long = [*COMMAND[:-1], "600"]  # seconds: it is still playing whatever the test does meanwhile
    process = children.start(
        long, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    assert process.stdout is not None
    before = []
    for line in process.stdout:
        before.append(line)
        if "of 4,000 events" in line:
            break
    else:
        pytest.fail("".join(before))
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_demo_makes_leads_agrees_with_the_truth_and_suggests_commands_that_work(environment, tmp_path):
    code, output, first_lead_seconds = whole_demo(environment)

    assert code == 0, output
    assert first_lead_seconds < deadline_seconds(FIRST_LEAD_SECONDS), output
    assert "\x1b" not in output
    leads = output.count("  LEAD  ")
    assert leads >= 8
    assert "events counted exactly once: 4,000 of 4,000" in output
    assert "✗" not in output, output
    assert not processes_of(tmp_path)
    suggested = re.findall(r"^    (.+)$", output, re.MULTILINE)
    assert len(suggested) == 3
    try_suggested(suggested, environment, leads)
    assert not processes_of(tmp_path)


def whole_demo(environment: dict[str, str]) -> tuple[int, str, float]:
    """Exit code, output, and the seconds until the first lead was printed."""
    began, first_lead_seconds, output = time.monotonic(), float("inf"), []
    with children.running(
        COMMAND, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line)
            if "  LEAD  " in line:
                first_lead_seconds = min(first_lead_seconds, time.monotonic() - began)
        process.wait(deadline_seconds())
    return process.returncode, "".join(output), first_lead_seconds


def try_suggested(suggested: list[str], environment: dict[str, str], leads: int) -> None:
    """In one shell, as a person would; the last command follows the topic and is ended by ctrl-c."""
    start, look, follow = suggested
    stop = follow.split(" leads ")[0] + " kafka stop"
    shell = ["/bin/sh", "-c", f"{start} && {look} && exec {follow}"]
    tail = children.start(shell, env=environment, stdout=subprocess.PIPE, text=True)
    assert tail.stdout is not None
    seen, shown = 0, []
    try:
        for line in tail.stdout:
            shown.append(line)
            seen += line.startswith("  way: ")
            if seen == leads:
                break
        tail.send_signal(signal.SIGINT)
        assert tail.wait(deadline_seconds()) == 0, "".join(shown)
    finally:
        tail.kill()
        tail.stdout.close()
        home = start.partition("=")[2].partition(";")[0]
        subprocess.run(["/bin/sh", "-c", stop], env={**environment, "STITCHLINE_HOME": home}, check=True)
    assert seen == leads
    assert any("Identifiers" in line for line in shown)


def test_ctrl_c_ends_everything_and_a_second_demo_is_refused(running, environment, tmp_path):
    second = subprocess.run(
        COMMAND, env=environment, capture_output=True, text=True, timeout=deadline_seconds(), check=False
    )
    assert second.returncode == 1
    assert "a demo is running in" in second.stderr

    os.killpg(running.pid, signal.SIGINT)  # a terminal's ctrl-c goes to the workers as well

    assert running.wait(deadline_seconds()) == 128 + signal.SIGINT
    assert "nothing is left running" in running.stdout.read()
    assert not processes_of(tmp_path)


def test_a_served_demo_shows_the_day_until_ctrl_c_to_its_one_user(environment, tmp_path):
    served = [*COMMAND[:-6], "--people", "100", "--events", "1000", "--seconds", "1", "--serve"]
    elsewhere = {"STITCHLINE_SERVE_HOST": "0.0.0.0", "STITCHLINE_DATABASE_URL": "postgresql://u:p@127.0.0.1:1/other"}
    with children.running(
        served, env={**environment, **elsewhere}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        output = ""
        while not (user := SIGN_IN.search(output)):
            line = process.stdout.readline()
            assert line, output
            output += line
        url = re.search(r"http://127\.0\.0\.1:\d+", output)[0]
        with httpx2.Client(base_url=url) as browser:
            token = re.search(r'name="csrf" value="([^"]+)"', browser.get("/sign-in").text)[1]
            form = {"csrf": token, "name": user[1], "password": user[2]}
            assert browser.post("/sign-in", data=form, headers={"Origin": url}).status_code == 303
            customers = re.search(r"resolved to ([\d,]+) customers", output)[1]
            assert re.search(rf"Customers\W.*?>{customers}<", browser.get("/").text, re.DOTALL)

        os.killpg(process.pid, signal.SIGINT)

        output += process.stdout.read()
        assert process.wait(deadline_seconds()) == 0, output
    assert "Nothing is left running." in output
    assert output.count(user[2]) == 1
    assert not processes_of(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and user[2].encode() in path.read_bytes()]


def test_a_demo_killed_with_9_takes_kafka_and_its_workers_with_it(running, tmp_path):
    assert len(processes_of(tmp_path)) >= 3

    running.kill()
    running.wait()

    eventually(lambda: not processes_of(tmp_path), "no process is left", lambda: str(processes_of(tmp_path)))
