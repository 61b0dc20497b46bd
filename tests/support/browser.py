"""A real Chromium without a window, driven over its DevTools protocol by aiohttp's WebSocket client."""

import asyncio
import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from tests.support import children
from tests.support.waiting import deadline_seconds

FLAGS = (
    "--headless=new", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio",
    "--hide-scrollbars", "--remote-debugging-port=0", "--disable-dev-shm-usage", "--lang=en-GB",
)  # fmt: skip
DESKTOP, PHONE = (1440, 900), (390, 844)


def chromium() -> str | None:
    """Returns the path of a Chromium, or None."""
    return next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._loaded = asyncio.Event()
        self.complaints: list[str] = []
        """What the browser wrote to its console: errors of scripts and what the content security policy refused."""
        self.hosts: set[str] = set()
        """Hosts that the page sent requests to."""
        self._listener = asyncio.create_task(self._listen())

    async def call(self, method: str, **params: Any) -> Any:
        """Sends a command of the protocol and returns its result."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        return await asyncio.wait_for(answer, deadline_seconds())

    async def start(self) -> None:
        """Turns on the events that this class listens to."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")

    async def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """Sets the window's size and colour scheme."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def open(self, url: str) -> None:
        """Opens a URL and waits until it is loaded."""
        self._loaded.clear()
        await self.call("Page.navigate", url=url)
        await asyncio.wait_for(self._loaded.wait(), deadline_seconds())

    async def run(self, script: str) -> Any:
        """Returns the value of an expression, awaited if it is a promise."""
        done = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            raise AssertionError(done["exceptionDetails"])
        return done["result"].get("value")

    async def until(self, condition: str) -> None:
        """Waits until an expression is true."""
        end = asyncio.get_running_loop().time() + deadline_seconds()
        while not await self.run(f"Boolean({condition})"):
            if asyncio.get_running_loop().time() > end:
                shown = await self.run("location.pathname + ' ' + document.body.innerText")
                message = f"never true: {condition}\n{shown}"
                raise AssertionError(message)
            await asyncio.sleep(0.05)

    async def sign_in(self, base: str, name: str, password: str) -> None:
        """Fills in the sign-in form and sends it."""
        await self.open(f"{base}/sign-in")
        fill = "document.querySelector({}).value = {}"
        await self.run(fill.format(json.dumps("#name"), json.dumps(name)))
        await self.run(fill.format(json.dumps("#password"), json.dumps(password)))
        self._loaded.clear()
        await self.run("document.querySelector('form').requestSubmit()")
        await asyncio.wait_for(self._loaded.wait(), deadline_seconds())

    async def key(self, key: str, code: str = "", number: int = 0) -> None:
        """Presses and releases a key."""
        facts = {"key": key, "code": code or key, "windowsVirtualKeyCode": number}
        text = {"text": key} if len(key) == 1 else {}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **facts, **text)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **facts)

    async def picture(self, *, whole: bool = True, kind: str = "png") -> bytes:
        """Returns a picture of the page, or of its visible part: png or webp."""
        height = await self.run("document.documentElement.scrollHeight") if whole else None
        clip = await self.run("({width: innerWidth, height: innerHeight})")
        box = {"x": 0, "y": 0, "width": clip["width"], "height": height or clip["height"], "scale": 1}
        shot = await self.call("Page.captureScreenshot", format=kind, quality=80, clip=box, captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    async def _listen(self) -> None:
        async for message in self._socket:
            event = json.loads(message.data)
            if "id" in event:
                self._answer(event)
            else:
                self._note(event["method"], event.get("params", {}))

    def _answer(self, event: dict[str, Any]) -> None:
        answer = self._answers.pop(event["id"])
        if answer.done():
            return
        if "error" in event:
            answer.set_exception(AssertionError(event["error"]))
        else:
            answer.set_result(event["result"])

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded.set()
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif method == "Network.requestWillBeSent" and "://" in params["request"]["url"]:
            self.hosts.add(params["request"]["url"].split("/")[2])


@asynccontextmanager
async def browser(path: str) -> AsyncIterator[Page]:
    """Yields a tab of a fresh profile, and ends the browser with its profile."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = [*FLAGS, f"--user-data-dir={profile}", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        process = children.start([path, *flags, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port = await _port(Path(profile) / "DevToolsActivePort")
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    tabs = await answer.json()
                tab = next(tab for tab in tabs if tab["type"] == "page")
                async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    page = Page(socket)
                    await page.start()
                    yield page
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.poll() is None:
                process.kill()
                process.wait()


async def _port(file: Path) -> int:
    """Waits until the browser has written the port that it listens on."""
    end = asyncio.get_running_loop().time() + deadline_seconds()
    while not (text := _text_of(file)):
        assert asyncio.get_running_loop().time() < end, "chromium did not start"
        await asyncio.sleep(0.05)
    return int(text.split()[0])


def _text_of(file: Path) -> str:
    return file.read_text() if file.exists() else ""
