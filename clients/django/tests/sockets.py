"""A client's connection to the real server."""

import json
import time

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from holodrive.tokens import access_token

WAIT = 15


class Socket:
    """A socket of a user, opened with a token of his."""

    def __init__(self, server, path: str, user):
        self.user = user
        self.connection = connect(
            f"{server.url.replace('http', 'ws')}/ws/{path}/", additional_headers={"Authorization": f"Bearer {access_token(user)}"},
            proxy=None, ping_interval=None, compression=None, close_timeout=2, legacy=True,
        )

    def __enter__(self) -> "Socket":
        return self

    def __exit__(self, *_):
        self.connection.close()

    def send(self, kind: str, **fields):
        self.connection.send(json.dumps({"type": kind, **fields}))

    def receive(self, timeout: float = WAIT) -> dict:
        return json.loads(self.connection.recv(timeout=timeout))

    def until(self, kind: str, timeout: float = WAIT) -> dict:
        """The first message of this type; others before it are skipped."""
        deadline = time.monotonic() + timeout
        while (message := self.receive(max(deadline - time.monotonic(), 0.001)))["type"] != kind:
            pass
        return message

    def expect(self, kind: str, timeout: float = WAIT) -> dict:
        """The next message, which must be of this type."""
        message = self.receive(timeout)
        assert message["type"] == kind, message
        return message

    def so_far(self) -> list[dict]:
        """All that has come before the answer to a ping that is sent now."""
        self.send("ping")
        seen = [self.receive()]
        while seen[-1]["type"] != "pong":
            seen.append(self.receive())
        return seen[:-1]

    def code(self, timeout: float = WAIT) -> int:
        """The code with which the server closes it."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.receive(max(deadline - time.monotonic(), 0.001))
            except ConnectionClosed as closed:
                return closed.rcvd.code
