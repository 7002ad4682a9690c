"""How the server signs its hooks."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Final

from .conf import config

SCHEME: Final = "v1="


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The value of `X-HoloDrive-Signature`."""
    return SCHEME + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def problem(timestamp: str, signature: str, body: bytes) -> str | None:
    """Why a request is not to be believed; None where it is."""
    expected = sign(config.hooks_secret, timestamp, body)
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        return "the signature is wrong: HOOKS_SECRET differs on the two sides"
    if not (timestamp.isascii() and timestamp.isdigit()):
        return "X-HoloDrive-Timestamp is no number of seconds"
    if abs(time.time() - int(timestamp)) > config.hooks_tolerance:
        return "X-HoloDrive-Timestamp is too far from this clock"
    return None
