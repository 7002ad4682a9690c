"""Headless Chromium, driven over its DevTools protocol."""

import base64
import itertools
import json
import shutil
import subprocess
import time
from pathlib import Path

import httpx
from websockets.sync.client import connect

from holodrive import wait_until

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-port=0",
    # The pages are put in by hand and so have no address; they would count as public, and the server as private.
    "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
]


class Chromium:
    """One browser process with a fresh profile."""

    def __init__(self, profile: Path):
        program = shutil.which("chromium")
        assert program, "Debian's chromium is not installed"
        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        port_file = profile / "DevToolsActivePort"
        port = wait_until(lambda: port_file.exists() and port_file.read_text().split("\n")[0], "Chromium is up", 30)
        self.url = f"http://127.0.0.1:{port}"

    def page(self) -> "Page":
        target = wait_until(self._new_target, "a page", 10)
        return Page(target["webSocketDebuggerUrl"])

    def _new_target(self):
        try:
            return httpx.put(f"{self.url}/json/new?about:blank", trust_env=False, timeout=10).json()
        except httpx.TransportError:
            return None

    def quit(self):
        self.process.kill()
        self.process.wait()


class Page:
    """One tab."""

    def __init__(self, url: str):
        self.connection = connect(url, proxy=None, max_size=None, ping_interval=None, compression=None, legacy=True)
        self.numbers = itertools.count(1)
        self.command("Page.enable")

    def start(self, method: str, **parameters) -> int:
        number = next(self.numbers)
        self.connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        return number

    def read_until(self, wanted, timeout: float = 20) -> dict:
        deadline = time.monotonic() + timeout
        while True:
            message = json.loads(self.connection.recv(timeout=max(deadline - time.monotonic(), 0.001)))
            if wanted(message):
                return message

    def command(self, method: str, **parameters) -> dict:
        number = self.start(method, **parameters)
        answer = self.read_until(lambda message: message.get("id") == number)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, url: str, body: str):
        """Opens a page at `url` whose text is `body`, whatever is or is not served there."""
        self.command("Fetch.enable", patterns=[{"urlPattern": url, "resourceType": "Document"}])
        self.start("Page.navigate", url=url)
        paused = self.read_until(lambda message: message.get("method") == "Fetch.requestPaused")
        self.start(
            "Fetch.fulfillRequest", requestId=paused["params"]["requestId"], responseCode=200,
            responseHeaders=[{"name": "Content-Type", "value": "text/html; charset=utf-8"}],
            body=base64.b64encode(body.encode()).decode(),
        )
        self.read_until(lambda message: message.get("method") == "Page.loadEventFired")
        self.command("Fetch.disable")

    def visit(self, url: str):
        """Opens what is served at `url`."""
        self.start("Page.navigate", url=url)
        self.read_until(lambda message: message.get("method") == "Page.loadEventFired")

    def evaluate(self, expression: str):
        result = self.command("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def type(self, text: str):
        """Into what has the focus, in the place of what is selected there; ends with Enter."""
        self.command("Input.insertText", text=text)
        enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        for event in ("keyDown", "keyUp"):
            self.command("Input.dispatchKeyEvent", type=event, **enter)

    def wait_for(self, expression: str, timeout: float = 10):
        return wait_until(lambda: self.evaluate(expression), expression, timeout)

    def close(self):
        self.connection.close()
