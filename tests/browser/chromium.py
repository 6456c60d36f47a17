"""A browser for tests: headless Chromium, spoken to through a pipe by its DevTools protocol, without any package."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 60.0


def executable() -> str | None:
    """Where Chromium is; None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One window of a browser that has a profile of its own.

    Attributes:
        requests: the addresses of everything the page has asked for.
        blocked: what its policy has kept from being asked for.
        troubles: exceptions, console errors and dialogs of the page.
    """

    def __init__(self, folder: Path, width: int = 1280, height: int = 800, dark: bool = False) -> None:
        found = executable()
        assert found is not None, "Chromium is not installed"
        to_browser, from_browser = os.pipe(), os.pipe()
        options = [
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
            f"--window-size={width},{height}",
            f"--user-data-dir={folder}",
        ]
        ends = [os.dup(to_browser[0]), os.dup(from_browser[1])]
        command = f'exec 3<&{ends[0]} 4>&{ends[1]}; exec "$@"'
        self._process = subprocess.Popen(
            ["bash", "-c", command, "bash", found, *options],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (*ends, to_browser[0], from_browser[1]):
            os.close(end)
        self._in, self._out = to_browser[1], from_browser[0]
        self._buffer = b""
        self._count = 0
        self._asked: dict[str, str] = {}
        self.requests: list[str] = []
        self.blocked: list[str] = []
        self.troubles: list[str] = []
        target = self._send("Target.createTarget", {"url": "about:blank"}, None)["targetId"]
        self._session: str | None = None
        self._session = self._send("Target.attachToTarget", {"targetId": target, "flatten": True}, None)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.prefer("dark" if dark else "light")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        self._send("Browser.close", {}, None)
        self._process.wait(PATIENCE)
        os.close(self._in)
        os.close(self._out)

    def prefer(self, scheme: str) -> None:
        """Let the system be "light" or "dark"."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol on the page."""
        return self._send(method, parameters, self._session)

    def _send(self, method: str, parameters: dict[str, Any], session: str | None) -> Any:
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._in, data) :]
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            answer = self._next()
            if answer.get("id") == message["id"]:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._note(answer)
        raise TimeoutError(f"The browser did not answer {method}.")

    def _next(self) -> Any:
        while b"\0" not in self._buffer:
            piece = os.read(self._out, 1 << 20)
            assert piece, "the browser has ended"
            self._buffer += piece
        text, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(text)

    def _note(self, event: dict[str, Any]) -> None:
        method, given = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self._asked[given["requestId"]] = given["request"]["url"]
            self.requests.append(given["request"]["url"])
        elif method == "Network.loadingFailed" and given.get("blockedReason") == "csp":
            self.requests.remove(self._asked[given["requestId"]])
            self.blocked.append(self._asked[given["requestId"]])
        elif method == "Runtime.exceptionThrown":
            self.troubles.append(str(given["exceptionDetails"]))
        elif method == "Page.javascriptDialogOpening":
            self.troubles.append(f"dialog: {given['message']}")
        elif method == "Log.entryAdded" and given["entry"]["level"] == "error":
            self.troubles.append(given["entry"]["text"])

    def open(self, path: Path) -> None:
        """Open a file and wait until its page is ready."""
        self.requests.clear()
        self.blocked.clear()
        self.troubles.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.wait("document.readyState === 'complete' && document.documentElement.dataset.ready !== undefined")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, expression: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + PATIENCE
        while not self.evaluate(expression):
            assert time.monotonic() < deadline, f"waited for {expression}"
            time.sleep(0.01)

    def settle(self) -> None:
        """Wait until the page has drawn what it was told to."""
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """One event of the mouse."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x: float, y: float, count: int = 1) -> None:
        """Click, or double click, at a place of the window."""
        self.mouse("mouseMoved", x, y)
        for index in range(1, count + 1):
            self.mouse("mousePressed", x, y, button="left", clickCount=index)
            self.mouse("mouseReleased", x, y, button="left", clickCount=index)
        self.settle()

    def press(self, selector: str) -> None:
        """Click the middle of an element."""
        box = self.evaluate(f"JSON.stringify(document.querySelector({json.dumps(selector)}).getBoundingClientRect())")
        held = json.loads(box)
        assert held["width"] > 0, f"{selector} is not seen"
        self.click(held["left"] + held["width"] / 2, held["top"] + held["height"] / 2)

    def drag(self, x: float, y: float, dx: float, dy: float) -> None:
        """Drag from a place."""
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, button="left", clickCount=1)
        for step in range(1, 6):
            self.mouse("mouseMoved", x + dx * step / 5, y + dy * step / 5, button="left", buttons=1)
        self.mouse("mouseReleased", x + dx, y + dy, button="left", clickCount=1)
        self.settle()

    def wheel(self, x: float, y: float, delta: float) -> None:
        """Turn the wheel at a place."""
        self.mouse("mouseWheel", x, y, deltaX=0, deltaY=delta)
        self.settle()

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.call("Input.insertText", text=text)
        self.settle()

    def key(self, key: str, code: int = 0) -> None:
        """Press a key."""
        more = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)
        self.settle()

    def screenshot(self, path: Path) -> None:
        """Write what the window shows as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
