"""The programs beside the tests: the real server, Django's pages, and a server whose answers are written down."""

import os
import signal
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

NO_PROXY = build_opener(ProxyHandler({}))
STARTUP_SECONDS = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what: str, seconds: float = 10, interval: float = 0.02):
    """Polls until `condition()` is true and returns its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"never happened within {seconds} s: {what}"
        time.sleep(interval)
    return value


class HoloDrive:
    """The real server, in a folder whose `.env` is made from Django's settings."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.program = os.environ.get("HOLODRIVE_BIN", "")
        assert Path(self.program).is_file(), "HOLODRIVE_BIN must name the built program; `cargo xtask test` sees to it"
        self.url = os.environ["HOLODRIVE_URL"]
        self.process = None

    def start(self) -> "HoloDrive":
        from holodrive.environment import dotenv

        self.folder.mkdir(exist_ok=True)
        hooks = ("HOOKS_URL=", "HOOKS_SECRET=")
        lines = [line for line in dotenv("http://127.0.0.1:1").splitlines() if not line.startswith(hooks)]
        lines += ["LOGIN_RATE=0", "DRAIN_TIMEOUT=0.2", "RECHECK_INTERVAL=0.3"]
        (self.folder / ".env").write_text("\n".join(lines))
        self.run()
        return self

    def run(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.program], cwd=self.folder, env={"PATH": os.environ["PATH"]}, stdout=log, stderr=log
            )
        wait_until(self.is_ready, "the server is ready", STARTUP_SECONDS)

    def is_ready(self) -> bool:
        assert self.process.poll() is None, (self.folder / "log").read_text()[-4000:]
        try:
            return NO_PROXY.open(f"{self.url}/readyz", timeout=5).status == 200
        except OSError:
            return False

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)

    def stop(self):
        self.end()
        log = (self.folder / "log").read_text()
        assert "panicked" not in log, log[-4000:]


class DjangoServer:
    """Django's development server in threads of this process, with static files."""

    def __enter__(self) -> "DjangoServer":
        from django.contrib.staticfiles.handlers import StaticFilesHandler
        from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
        from django.core.wsgi import get_wsgi_application

        class Quiet(WSGIRequestHandler):
            def log_message(self, *arguments):
                pass

        self.server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet)
        self.server.daemon_threads = True
        self.server.set_app(StaticFilesHandler(get_wsgi_application()))
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Script:
    """An HTTP server that gives the answers of a list, one after another, and keeps what it was asked.

    An answer is (status, headers, body), or None: the connection ends without one.
    """

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.connections = set()
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                script.asked.append((self.command, self.path, dict(self.headers), body))
                script.connections.add(self.client_address)
                status, headers, text = script.answers.pop(0) or (0, {}, b"")
                if status == 0:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in {"Content-Length": str(len(text)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)
                # Ends a kept connection without a word, as servers do after a while.
                self.close_connection = headers.get("X-Then") == "close"

            do_GET = do_POST = answer

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> "Script":
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
