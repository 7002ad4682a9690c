"""Headless Chromium, driven over its DevTools protocol."""

import base64
import itertools
import json
import shutil
import subprocess
import time
from pathlib import Path
from urllib.request import Request

from live import NO_PROXY, wait_until
from websockets.sync.client import connect

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0",
]


class Chromium:
    """A browser process with a fresh profile."""

    def __init__(self, profile: Path):
        program = shutil.which("chromium")
        assert program, "Debian's chromium is not installed"
        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        file = profile / "DevToolsActivePort"
        port = wait_until(lambda: file.exists() and file.read_text().split("\n")[0], "Chromium is up", 30)
        self.url = f"http://127.0.0.1:{port}"

    def page(self) -> "Page":
        return Page(wait_until(self._target, "a tab")["webSocketDebuggerUrl"])

    def _target(self):
        try:
            with NO_PROXY.open(Request(f"{self.url}/json/new?about:blank", method="PUT"), timeout=10) as answer:
                return json.load(answer)
        except OSError:
            return None

    def quit(self):
        self.process.kill()
        self.process.wait()


class Page:
    """One tab."""

    def __init__(self, url: str):
        self.connection = connect(url, proxy=None, max_size=None, ping_interval=None, compression=None, legacy=True)
        self.numbers = itertools.count(1)
        # What broke a rule of the page's content security policy, or was thrown.
        self.complaints = []
        for domain in ("Page", "Runtime", "Log"):
            self.command(f"{domain}.enable")

    def command(self, method: str, **parameters) -> dict:
        number = next(self.numbers)
        self.connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        answer = self._read_until(lambda message: message.get("id") == number)
        assert "error" not in answer, answer
        return answer["result"]

    def _read_until(self, wanted, timeout: float = 20) -> dict:
        deadline = time.monotonic() + timeout
        while True:
            message = json.loads(self.connection.recv(timeout=max(deadline - time.monotonic(), 0.001)))
            self._note(message)
            if wanted(message):
                return message

    def _note(self, message: dict):
        entry = message.get("params", {}).get("entry", {})
        is_missing_icon = entry.get("url", "").endswith("/favicon.ico")
        if message.get("method") in {"Runtime.exceptionThrown", "Log.entryAdded"} and not is_missing_icon:
            self.complaints.append(message["params"])

    def open(self, url: str):
        number = next(self.numbers)
        self.connection.send(json.dumps({"id": number, "method": "Page.navigate", "params": {"url": url}}))
        self._read_until(lambda message: message.get("method") == "Page.loadEventFired")

    def run(self, expression: str):
        result = self.command("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 10):
        return wait_until(lambda: self.run(expression), expression, seconds)

    def press(self, key: str):
        codes = {"Enter": 13, "Escape": 27, "Tab": 9}
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            extra = text if kind == "keyDown" else {}
            self.command("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                         windowsVirtualKeyCode=codes[key], **extra)

    def screenshot(self, path: Path):
        path.write_bytes(base64.b64decode(self.command("Page.captureScreenshot")["data"]))

    def close(self):
        self.connection.close()
