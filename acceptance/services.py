"""What the push services of the tests have in common: requests that are kept, answers that a test puts in the way."""

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from holodrive import wait_until


@dataclass
class Answer:
    """What a service says instead of what it would say. A `hold` is waited for first, as by a service that hangs."""

    status: int
    body: dict | None = None
    headers: dict = field(default_factory=dict)
    hold: threading.Event | None = None


class Service:
    """Keeps what came; `deviate` puts answers in the way of the next requests."""

    def __init__(self):
        self.lock = threading.Lock()
        self.accepted = []
        self.attempts = 0
        self.deviations = deque()

    def deviate(self, *answers: Answer):
        with self.lock:
            self.deviations.extend(answers)

    def next_deviation(self) -> Answer | None:
        with self.lock:
            self.attempts += 1
            answer = self.deviations.popleft() if self.deviations else None
        if answer and answer.hold:
            answer.hold.wait(60)
        return answer

    def accept(self, request: dict):
        with self.lock:
            self.accepted.append({**request, "at": time.time()})

    def wait_for(self, count: int, seconds: float = 20) -> list[dict]:
        """All that was accepted, once it is so many."""
        wait_until(lambda: len(self.accepted) >= count, f"{count} pushes, and not only {self.accepted}", seconds)
        return list(self.accepted)

    def wait_for_attempts(self, count: int, seconds: float = 20):
        wait_until(lambda: self.attempts >= count, f"{count} attempts", seconds)


class HttpService(Service):
    """A service over HTTP/1.1, in a thread for each connection; `answer` says what to answer."""

    def __init__(self, context=None):
        super().__init__()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.respond(*service.answer(self.path, self.headers, body))

            def respond(self, status: int, body: bytes, headers: dict):
                self.send_response(status)
                for name, value in {"Content-Length": len(body), "Content-Type": "application/json", **headers}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                """A client that went away is no error of ours."""

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.port = self.http.server_port
        self.scheme = "https" if context else "http"
        if context:
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def answer(self, path: str, headers, body: bytes) -> tuple[int, bytes, dict]:
        raise NotImplementedError

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
