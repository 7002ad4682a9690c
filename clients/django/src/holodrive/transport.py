"""JSON over HTTP with the standard library: connections are kept, and what failed is tried again."""

from __future__ import annotations

import http.client
import json
import os
import random
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from .conf import config
from .errors import HoloDriveError

BACKOFF_SECONDS: Final = 0.2
RETRY_AFTER_MAX_SECONDS: Final = 30.0
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
TRIED_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body; `HoloDriveError` where it is no JSON."""
        try:
            return json.loads(self.body) if self.body else {}
        except ValueError:
            raise HoloDriveError("bad_answer", "the answer is no JSON", status=self.status) from None

    def error(self) -> HoloDriveError:
        """What a refusal says, whoever wrote it: a proxy's page has no code."""
        try:
            body = json.loads(self.body)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return HoloDriveError("bad_answer", f"HTTP {self.status} without an explanation", status=self.status)
        code, detail = str(body.get("code", "error")), str(body.get("detail", f"HTTP {self.status}"))
        return HoloDriveError(code, detail, status=self.status, errors=body.get("errors"))


class Connections(threading.local):
    """One kept connection for each thread."""

    def __init__(self) -> None:
        self.address: tuple[int, str, str, float] | None = None
        self.kept: http.client.HTTPConnection | None = None

    def take(self, url: SplitResult, timeout: float) -> tuple[http.client.HTTPConnection, bool]:
        """A connection, and whether it was used before; it belongs to the caller until `keep`."""
        # A process that was forked off must not write on its parent's connection.
        address = (os.getpid(), url.scheme, url.netloc, timeout)
        kept, self.kept = self.kept, None
        if kept is not None and self.address == address:
            return kept, True
        if kept is not None:
            kept.close()
        self.address = address
        return connect(url, timeout), False

    def keep(self, connection: http.client.HTTPConnection) -> None:
        self.kept = connection


def connect(url: SplitResult, timeout: float) -> http.client.HTTPConnection:
    host = url.hostname or ""
    if url.scheme == "https":
        return http.client.HTTPSConnection(host, url.port, timeout=timeout, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, url.port, timeout=timeout)


_connections = Connections()


def request(
    method: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    authorization: str | None = None,
    cookie: str | None = None,
    idempotency_key: str | None = None,
    retries: int | None = None,
) -> Answer:
    """Asks the server, again where that is safe and worth it, and returns its answer, whatever it says.

    All attempts carry the same `Idempotency-Key`, so that the server does once what arrives twice.
    """
    headers = {"Accept": "application/json"}
    if authorization is not None:
        headers["Authorization"] = authorization
    if cookie is not None:
        headers["Cookie"] = cookie
    if idempotency_key is not None:
        headers["Idempotency-Key"] = idempotency_key
    payload = None
    if body is not None:
        payload = json.dumps(body, ensure_ascii=False).encode()
        headers["Content-Type"] = "application/json"
    is_safe = method in {"GET", "HEAD"} or idempotency_key is not None
    left = (config.retries if retries is None else retries) if is_safe else 0
    return _attempts(method, path, payload, headers, left)


def _attempts(method: str, path: str, payload: bytes | None, headers: Mapping[str, str], retries: int) -> Answer:
    for attempt in range(retries + 1):
        is_last = attempt == retries
        try:
            answer = _attempt(method, path, payload, headers)
        except (OSError, http.client.HTTPException) as error:
            if is_last:
                raise unreachable(error) from error
            time.sleep(backoff(attempt))
            continue
        if answer.status not in TRIED_AGAIN or is_last:
            return answer
        time.sleep(retry_after(answer) or backoff(attempt))
    raise AssertionError("the last attempt returns or raises")


def _attempt(method: str, path: str, payload: bytes | None, headers: Mapping[str, str]) -> Answer:
    url = urlsplit(config.url)
    connection, was_used = _connections.take(url, config.timeout)
    try:
        return _exchange(connection, method, url.path + path, payload, headers)
    except (http.client.RemoteDisconnected, ConnectionError):
        connection.close()
        # A kept connection that the other side has closed meanwhile says nothing about the server.
        if not was_used or not (method == "GET" or "Idempotency-Key" in headers):
            raise
    except BaseException:
        connection.close()
        raise
    return _attempt(method, path, payload, headers)


def _exchange(
    connection: http.client.HTTPConnection, method: str, path: str, payload: bytes | None, headers: Mapping[str, str]
) -> Answer:
    connection.request(method, path, payload, dict(headers))
    response = connection.getresponse()
    body = response.read(ANSWER_BYTES_MAX + 1)
    if len(body) > ANSWER_BYTES_MAX:
        raise http.client.HTTPException("the answer is too long")
    if response.will_close:
        connection.close()
    else:
        _connections.keep(connection)
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


def unreachable(error: Exception) -> HoloDriveError:
    why = str(error) or type(error).__name__
    return HoloDriveError("unreachable", f"no answer from {config.url}: {why}")


def backoff(attempt: int) -> float:
    """Anything up to a bound that doubles, so that a crowd does not come back at once."""
    return random.uniform(0, BACKOFF_SECONDS * 2**attempt)


def retry_after(answer: Answer) -> float | None:
    """The seconds that the server asks for, within reason; its dates are not understood."""
    try:
        seconds = float(answer.headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(seconds, RETRY_AFTER_MAX_SECONDS) if seconds > 0 else None
