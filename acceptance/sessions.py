"""Django's database sessions, written without Django."""

import base64
import hashlib
import hmac
import json
import secrets
import string
import time
from datetime import datetime, timedelta, timezone

from users import SECRET_KEY

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SIGNER_SALT = "django.contrib.sessions.SessionStore" + "signer"
_AUTH_SALT = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"


def _salted_hmac(salt: str, text: str, key: str) -> "hmac.HMAC":
    return hmac.new(hashlib.sha256((salt + key).encode()).digest(), text.encode(), hashlib.sha256)


def _base62(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits or "0"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def session_data(user_id: int, password: str, key: str = SECRET_KEY) -> str:
    """The text of `session_data` for a logged-in user with this stored password."""
    payload = {
        "_auth_user_id": str(user_id),
        "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
        "_auth_user_hash": _salted_hmac(_AUTH_SALT, password, key).hexdigest(),
    }
    value = f"{_base64(json.dumps(payload).encode())}:{_base62(int(time.time()))}"
    return f"{value}:{_base64(_salted_hmac(_SIGNER_SALT, value, key).digest())}"


def create_session(user, lifetime=timedelta(days=14), key: str = SECRET_KEY) -> str:
    """Stores a session of the user and returns its key, the value of the `sessionid` cookie."""
    server = user.server
    password = server.rows("SELECT password FROM auth_user WHERE id = ?", user.id)[0][0]
    session_key = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(32))
    expires = (datetime.now(timezone.utc) + lifetime).strftime("%Y-%m-%d %H:%M:%S.%f")
    server.execute("INSERT INTO django_session (session_key, session_data, expire_date) VALUES (?, ?, ?)",
                   session_key, session_data(user.id, password, key), expires)
    return session_key
