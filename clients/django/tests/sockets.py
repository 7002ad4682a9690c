"""A client's connection to the real server."""

import json
import time
from contextlib import contextmanager

from live import wait_until
from rest_framework_simplejwt.tokens import AccessToken
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


WAIT = 15


class Socket:
    """A socket of a user, opened with a token of his."""

    def __init__(self, server, path: str, user):
        self.user = user
        self.connection = connect(
            f"{server.url.replace('http', 'ws')}/ws/{path}/",
            additional_headers={"Authorization": f"Bearer {AccessToken.for_user(user)}"},
            proxy=None, ping_interval=None, compression=None, close_timeout=2, legacy=True,
        )

    @classmethod
    def let_in(cls, server, path: str, user) -> "Socket":
        """One that has been let in: as all clients do, it comes again while it is told that Django does not answer."""

        def attempt():
            socket = cls(server, path, user)
            first = socket.receive()
            if first["type"] == "connection_established":
                return socket
            socket.connection.close()
            assert first["code"] == "unavailable", first
            return None

        return wait_until(attempt, "the server lets somebody in", 30, 0.1)

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


@contextmanager
def in_room(server, room, members):
    """Both members in their conversation."""
    path = f"chat/{room}"
    with Socket.let_in(server, path, members[0]) as first, Socket.let_in(server, path, members[1]) as second:
        yield first, second
