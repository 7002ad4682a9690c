"""What the server itself answers, asked as its users and back ends ask it."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.core.exceptions import ImproperlyConfigured

from . import transport
from .conf import config
from .environment import origins
from .errors import HoloDriveError
from .findings import Findings, failed, ok, unknown, warning
from .tokens import access_token

SESSION_SECONDS: Final = 60


def server() -> Findings:
    """Whether it answers, and whether it is ready."""
    for path, what in (("/healthz", "alive"), ("/readyz", "ready")):
        try:
            answer = transport.request("GET", path, retries=0)
        except HoloDriveError as error:
            yield failed(f"server: {error.detail}")
            return
        if not answer.is_success:
            yield failed(f"server: {config.url}{path} says {answer.status}: {answer.body[:200].decode(errors='replace')}")
            return
        yield ok(f"server: {config.url} is {what}")


def api_key() -> Findings:
    """Asks for what no notification has: 404 lets the key in, 401 does not."""
    try:
        authorization = f"Api-Key {config.api_key}"
    except ImproperlyConfigured:
        yield unknown("API key: none is set")
        return
    answer = transport.request("GET", "/api/notifications/0/deliveries/", authorization=authorization)
    if answer.status in {200, 404}:
        yield ok("API key: accepted")
    else:
        yield failed(f"API key: {answer.error()}")


def found_user(login: str | None) -> Any:
    """The active user of this name, or the first; None where there is none."""
    model = get_user_model()
    users = model._default_manager.filter(is_active=True)
    if login is not None:
        users = users.filter(**{model.USERNAME_FIELD: login})
    return users.order_by("pk").first()


def tokens(user: Any) -> Findings:
    """A token of a user of ours, shown to the server: key, claims and user table agree when it knows him."""
    if user is None:
        yield unknown("tokens: there is no active user to make one for")
        return
    answer = transport.request("GET", "/api/me/", authorization=f"Bearer {access_token(user)}")
    if not answer.is_success:
        yield failed(f"tokens: the server refuses ours ({answer.error().code}): SECRET_KEY, JWT_* or AUTH_USER_* differ")
        return
    yield from _me(user, answer.json())


def _me(user: Any, me: dict[str, Any]) -> Findings:
    if (str(me["id"]), me["username"]) != (str(user.pk), user.get_username()):
        yield failed(f"tokens: user {user.pk} is {me['id']} {me['username']} there: it is another database or table")
        return
    yield ok(f"tokens: the server accepts ours, and knows user {user.pk}")
    if not _signs_with_secret_key():
        yield unknown("sessions: tokens have a key of their own, so that SECRET_KEY was not compared; see --session")
    if me["websocket_url"] != config.websocket_url:
        text = f"the server says {me['websocket_url']}, HOLODRIVE['WEBSOCKET_URL'] {config.websocket_url}"
        yield warning(f"websocket_url: {text}")


def session_of(user: Any) -> Findings:
    """Opens a session as Django's login would, shows it to the server, and deletes it."""
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.set_expiry(SESSION_SECONDS)
    store.create()
    store.save()
    try:
        answer = transport.request("GET", "/api/me/", cookie=f"{settings.SESSION_COOKIE_NAME}={store.session_key}")
    finally:
        store.delete()
    if answer.is_success and str(answer.json()["id"]) == str(user.pk):
        yield ok(f"sessions: the server accepts one of user {user.pk}")
    else:
        yield failed("sessions: the server refuses ours: SECRET_KEY, SESSION_COOKIE_NAME or AUTHENTICATION_BACKENDS differ")


def _signs_with_secret_key() -> bool:
    given = getattr(settings, "SIMPLE_JWT", {})
    is_shared = str(given.get("ALGORITHM", "HS256")).startswith("HS")
    return is_shared and given.get("SIGNING_KEY", settings.SECRET_KEY) == settings.SECRET_KEY


def browser_origins(given: Sequence[str]) -> Findings:
    """Knocks at the socket with each origin: one that is not allowed is refused before anything else is looked at."""
    wanted = list(given) or [origin for origin in settings.CSRF_TRUSTED_ORIGINS if "*" not in origin]
    if not wanted:
        suggestion = dict(origins()).get("ALLOWED_ORIGINS", "the hosts of your pages")
        yield unknown(f"origins: give --origin https://…; the server needs ALLOWED_ORIGINS={suggestion}")
    for origin in wanted:
        status = knock(origin)
        if status == 101:
            yield ok(f"origins: {origin} may connect")
        elif status == 403:
            yield failed(f"origins: {origin} is refused; add it to the server's ALLOWED_ORIGINS")
        else:
            yield failed(f"origins: the socket answered {origin} with {status}")


def knock(origin: str) -> int:
    """The status of a WebSocket handshake from a page of this origin."""
    url = urlsplit(config.url)
    connection = transport.connect(url, config.timeout)
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Origin": origin,
    }
    try:
        connection.request("GET", f"{url.path}/ws/notifications/", headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()
