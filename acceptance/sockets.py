"""Two WebSocket clients: the `websockets` package, and bare frames for what no decent client would send."""

import base64
import json
import os
import socket
import struct
import time

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as open_connection

WAIT = 5


class Socket:
    """A connection by the `websockets` package; it answers pings by itself."""

    def __init__(self, connection):
        self.connection = connection

    @classmethod
    def open(cls, url, *, token=None, cookie=None, origin=None, subprotocols=None, headers=()) -> "Socket":
        headers = dict(headers)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if cookie is not None:
            headers["Cookie"] = cookie
        return cls(open_connection(
            url, origin=origin, subprotocols=subprotocols, additional_headers=headers, proxy=None,
            ping_interval=None, max_queue=None, max_size=None, compression=None, close_timeout=2, legacy=True,
        ))

    def send(self, message: dict):
        self.connection.send(json.dumps(message))

    def send_raw(self, data):
        self.connection.send(data)

    def receive(self, timeout: float = WAIT) -> dict:
        return json.loads(self.connection.recv(timeout=timeout))

    def expect(self, kind: str, timeout: float = WAIT) -> dict:
        """The next message, which must be of this type."""
        message = self.receive(timeout)
        assert message["type"] == kind, message
        return message

    def until(self, kind: str, timeout: float = WAIT) -> dict:
        """The first message of this type; others before it are skipped."""
        return self.collect_until(kind, timeout)[-1]

    def collect_until(self, kind: str, timeout: float = WAIT) -> list[dict]:
        """All messages up to and including the first of this type."""
        deadline = time.monotonic() + timeout
        seen = []
        while not seen or seen[-1]["type"] != kind:
            left = deadline - time.monotonic()
            assert left > 0, f"no {kind} within {timeout} s, only {seen}"
            try:
                seen.append(self.receive(left))
            except TimeoutError:
                raise AssertionError(f"no {kind} within {timeout} s, only {seen}") from None
        return seen

    def so_far(self) -> list[dict]:
        """All that the server sent before it answered a ping sent now."""
        self.send({"type": "ping"})
        return self.collect_until("pong")[:-1]

    def kinds_so_far(self) -> list[str]:
        return [message["type"] for message in self.so_far()]

    def rest(self, timeout: float = WAIT) -> tuple[list[dict], int]:
        """Everything up to the close, and the close code that the server sent."""
        deadline = time.monotonic() + timeout
        messages = []
        while True:
            try:
                messages.append(self.receive(max(deadline - time.monotonic(), 0.001)))
            except TimeoutError:
                raise AssertionError(f"not closed within {timeout} s; received {messages[-5:]}") from None
            except ConnectionClosed as closed:
                return messages, closed.rcvd.code if closed.rcvd else 1006

    def refused(self, code: int, reason: str, timeout: float = WAIT) -> dict:
        """The error before the close: it must be the last message, with this reason and close code."""
        messages, close_code = self.rest(timeout)
        assert close_code == code, (close_code, messages)
        assert messages and messages[-1]["type"] == "error", messages
        error = messages[-1]
        assert error["code"] == reason, error
        assert isinstance(error["message"], str) and error["message"]
        assert isinstance(error["reconnect"], bool)
        assert isinstance(error["retry_after_ms"], (int, float)) and error["retry_after_ms"] >= 0
        return error

    @property
    def subprotocol(self):
        return self.connection.subprotocol

    def close(self):
        self.connection.close()

    def abort(self):
        """Drops the connection without the closing handshake."""
        try:
            self.connection.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.connection.close_socket()


TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


class RawSocket:
    """A connection that sends exactly the bytes it is told to, and answers nothing by itself."""

    def __init__(self, server, path: str, receive_buffer: int | None = None):
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(WAIT)
        self.socket.connect(("127.0.0.1", server.port))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((
            f"GET {path} HTTP/1.1\r\nHost: {server.authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode())
        self.reader = self.socket.makefile("rb")
        status = self.reader.readline()
        assert b" 101 " in status, status
        while self.reader.readline().strip():
            pass

    def __enter__(self) -> "RawSocket":
        return self

    def __exit__(self, *_):
        self.reader.close()
        self.socket.close()

    def send(self, message: dict):
        self.send_frame(TEXT, json.dumps(message).encode())

    def send_frame(self, opcode: int, payload: bytes = b"", *, fin=True, rsv=0, masked=True):
        head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
        mask_bit = 0x80 if masked else 0
        if len(payload) < 126:
            head += bytes([mask_bit | len(payload)])
        elif len(payload) < 65536:
            head += bytes([mask_bit | 126]) + struct.pack("!H", len(payload))
        else:
            head += bytes([mask_bit | 127]) + struct.pack("!Q", len(payload))
        mask = os.urandom(4) if masked else b""
        body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)) if masked else payload
        self.socket.sendall(head + mask + body)

    def send_bytes(self, data: bytes):
        self.socket.sendall(data)

    def receive_frame(self, timeout: float = WAIT) -> tuple[int, bytes] | None:
        """The next frame as (opcode, payload); None when the peer closed the TCP connection."""
        self.socket.settimeout(timeout)
        head = self.reader.read(2)
        if len(head) < 2:
            return None
        length = head[1] & 0x7F
        if length == 126:
            length = struct.unpack("!H", self.reader.read(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", self.reader.read(8))[0]
        return head[0] & 0x0F, self.reader.read(length)

    def receive(self, timeout: float = WAIT) -> dict:
        """The next text message; pings stay unanswered."""
        while True:
            frame = self.receive_frame(timeout)
            assert frame is not None, "the connection ended"
            opcode, payload = frame
            assert opcode != CLOSE, f"closed with {close_code(payload)}"
            if opcode == TEXT:
                return json.loads(payload)

    def until(self, kind: str) -> dict:
        while (message := self.receive())["type"] != kind:
            pass
        return message

    def rest(self, timeout: float = WAIT) -> tuple[list[dict], int | None]:
        """The text messages up to the close frame, and its code; None when there was no close frame."""
        messages = []
        while (frame := self.receive_frame(timeout)) is not None:
            opcode, payload = frame
            if opcode == CLOSE:
                return messages, close_code(payload)
            if opcode == TEXT:
                messages.append(json.loads(payload))
        return messages, None


def close_code(payload: bytes) -> int | None:
    return struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else None
