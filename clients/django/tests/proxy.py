"""What stands between the server and Django in the tests: it writes down what passes, and spoils it when it is told to.

A fault is a function of an `Exchange`. It answers by the exchange's methods, or not at all; then the connection ends.
"""

import http.client
import socket
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from live import free_port


@dataclass
class Exchange:
    """One request of the server, on its way to Django."""

    proxy: "Proxy"
    path: str
    headers: dict
    body: bytes
    wfile: object

    @property
    def hook(self) -> str:
        return self.path.rstrip("/").rpartition("/")[2]

    def ask(self) -> bytes:
        """What Django answers, as bytes of a whole answer; empty where it has gone away."""
        try:
            status, body = self.proxy.forward(self.path, self.headers, self.body)
        except (OSError, http.client.HTTPException):
            return b""
        return answer(status, body)

    def say(self, data: bytes):
        self.wfile.write(data)
        self.wfile.flush()


def answer(status: int, body: bytes, *, length: int | None = None, kind: str = "application/json") -> bytes:
    """An answer of HTTP/1.1; `length` may lie."""
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: {kind}\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n"
    return head.encode() + body


def says(data: bytes):
    """The fault that answers so without asking Django."""
    return lambda exchange: exchange.say(data)


def is_lost(exchange: Exchange):
    """Django does it, and nobody hears of it."""
    exchange.ask()


def comes_twice(exchange: Exchange):
    """Django gets the request twice, and its second answer counts."""
    exchange.ask()
    exchange.say(exchange.ask())


def is_answered_twice(exchange: Exchange):
    """Two answers stand behind each other on a connection that is then kept."""
    given = exchange.ask()
    exchange.say(given + given)


def is_silent(exchange: Exchange):
    """Django does not get it, and nothing is said until the fault is over."""
    exchange.proxy.calm.wait(60)


def is_late(exchange: Exchange):
    """Django does it at once, and its answer comes when the fault is over."""
    given = exchange.ask()
    exchange.proxy.calm.wait(60)
    exchange.say(given)


class Proxy:
    """Listens where `HOOKS_URL` points, and passes everything on to `upstream`."""

    def __init__(self, upstream: str):
        self.upstream = upstream
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.passed = []
        # Faults of the next requests of a hook, and those of all its requests.
        self.next, self.always = {}, {}
        self.calm = threading.Event()
        self.sockets = set()
        self.server = None

    def start(self) -> "Proxy":
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                proxy.sockets.add(self.request)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                exchange = Exchange(proxy, self.path, dict(self.headers), body, self.wfile)
                self.close_connection = not proxy.pass_on(exchange)

            def finish(self):
                proxy.sockets.discard(self.request)
                super().finish()

            def log_message(self, *arguments):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, client_address):
                """The server gives up on what takes too long."""

        self.server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self):
        """Whoever comes now is refused; kept connections end."""
        self.server.shutdown()
        self.server.server_close()
        self.server = None
        for connection in list(self.sockets):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def pass_on(self, exchange: Exchange) -> bool:
        """Whether the connection may be kept."""
        self.passed.append(exchange)
        waiting = self.next.get(exchange.hook)
        fault = waiting.popleft() if waiting else self.always.get(exchange.hook)
        if fault is not None:
            fault(exchange)
            return fault is is_answered_twice
        given = exchange.ask()
        exchange.say(given)
        return bool(given)

    def forward(self, path: str, headers: dict, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.upstream).netloc, timeout=30)
        try:
            connection.request("POST", path, body, headers)
            given = connection.getresponse()
            return given.status, given.read()
        finally:
            connection.close()

    def spoil(self, hook: str, *faults):
        """The next requests of this hook, one after another; None lets one pass."""
        self.calm.clear()
        self.next[hook] = deque(faults)

    def spoil_all(self, hook: str, fault):
        """All requests of this hook, until it is healed."""
        self.calm.clear()
        self.always[hook] = fault

    def heal(self):
        """From now on everything passes."""
        if self.server is None:
            self.start()
        self.next, self.always = {}, {}
        self.calm.set()

    def asked(self, hook: str) -> list[Exchange]:
        """What was asked of a hook, in order."""
        return [exchange for exchange in self.passed if exchange.hook == hook]

    def keys(self, hook: str) -> list[str]:
        return [exchange.headers["idempotency-key"] for exchange in self.asked(hook)]

