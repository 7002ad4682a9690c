"""Access tokens for acting as a user: short-lived, and signed as the project signs its own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

LIFETIME: Final = timedelta(seconds=60)


def access_token(user: AbstractBaseUser) -> str:
    """A token with which the server takes a request for one of this user.

    SimpleJWT makes it where it is installed, so that all of `SIMPLE_JWT` counts; without it the token has SimpleJWT's
    default form, signed with `SECRET_KEY`, which is the server's default too.
    """
    if find_spec("rest_framework_simplejwt") is not None:
        return _simplejwt_token(user)
    return _default_token(user)


def _simplejwt_token(user: AbstractBaseUser) -> str:
    from rest_framework_simplejwt.settings import api_settings

    kinds: list[Any] = list(api_settings.AUTH_TOKEN_CLASSES)
    access = next((kind for kind in kinds if kind.token_type == "access"), kinds[0])
    token = access.for_user(user)
    token.set_exp(lifetime=LIFETIME)
    return str(token)


def _default_token(user: AbstractBaseUser) -> str:
    now = int(time.time())
    claims = {
        "token_type": "access",
        "exp": now + int(LIFETIME.total_seconds()),
        "iat": now,
        "jti": uuid.uuid4().hex,
        "user_id": str(user.pk),
    }
    signed = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
    signature = hmac.new(settings.SECRET_KEY.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_base64(signature)}"


def _encoded(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
