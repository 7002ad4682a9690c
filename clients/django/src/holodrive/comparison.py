"""Compares Django's side with the server's, as far as each can be seen from here."""

from __future__ import annotations

import base64
import http.client
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, Literal
from urllib.parse import SplitResult, urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.core.checks import WARNING, run_checks
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import DatabaseError, connections, router
from django.db.migrations.executor import MigrationExecutor
from django.http.request import validate_host

from . import transport
from .checks import SHARED_SESSIONS, TAG
from .conf import config
from .environment import LAYERS, groups_of, hooks_path, origins
from .errors import HoloDriveError
from .models import Notification
from .tokens import access_token

Verdict = Literal["ok", "warning", "failed", "unknown"]
SESSION_SECONDS: Final = 60
COLUMNS: Final = ("id", "password", "first_name", "last_name", "is_staff", "is_active")


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    verdict: Verdict
    text: str


Findings = Iterator[Finding]


def ok(text: str) -> Finding:
    return Finding("ok", text)


def warning(text: str) -> Finding:
    return Finding("warning", text)


def failed(text: str) -> Finding:
    return Finding("failed", text)


def unknown(text: str) -> Finding:
    return Finding("unknown", text)


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for."""

    login: str | None
    origins: Sequence[str]
    django_url: str
    session: bool


def compare(wishes: Wishes) -> Findings:
    """Everything, in the order in which one would mend it."""
    yield from own_settings()
    yield from user_model()
    yield from sessions()
    yield from channel_layer()
    yield from tables()
    yield from hooks(wishes.django_url)
    is_up = False
    for finding in server():
        is_up = finding.verdict != "failed"
        yield finding
    if not is_up:
        yield unknown("API key, keys of tokens, and origins: the server does not answer")
        return
    yield from guarded("API key", api_key)
    user = found_user(wishes.login)
    yield from guarded("tokens", lambda: tokens(user))
    if wishes.session and user is not None:
        yield from guarded("sessions", lambda: session_of(user))
    yield from guarded("origins", lambda: browser_origins(wishes.origins))


def guarded(what: str, check: Callable[[], Findings]) -> Findings:
    """A server that goes away meanwhile is a finding too."""
    try:
        yield from check()
    except (HoloDriveError, OSError, http.client.HTTPException) as error:
        yield failed(f"{what}: {error}")


def own_settings() -> Findings:
    """What the system checks say of `HOLODRIVE`."""
    found = run_checks(tags=[TAG])
    for each in found:
        text = f"settings: {each.msg} {each.hint or ''} ({each.id})"
        yield failed(text) if each.level > WARNING else warning(text)
    if not found:
        yield ok("settings: HOLODRIVE is complete")


def user_model() -> Findings:
    """The server reads these columns, by these names."""
    model = get_user_model()
    label = model._meta.label
    missing = [column for column in COLUMNS if not _has_column(model, column)]
    if missing:
        yield failed(f"user model: {label} has no column {', '.join(missing)}, which the server reads")
    else:
        yield ok(f"user model: {label} has all columns that the server reads")
    if groups_of(model) is None:
        yield failed(f"user model: {label} has no `groups` (PermissionsMixin), so that nobody can be a driver")


def _has_column(model: Any, column: str) -> bool:
    try:
        return bool(model._meta.get_field(column).column == column)
    except FieldDoesNotExist:
        return False


def sessions() -> Findings:
    """Only sessions in the database can be seen by another process."""
    engine = settings.SESSION_ENGINE
    if engine in SHARED_SESSIONS:
        yield ok(f"sessions: {engine} can be read by the server")
    else:
        yield failed(f"sessions: {engine} cannot be read by the server; use one of {', '.join(SHARED_SESSIONS)}")
    if find_spec("rest_framework_simplejwt") is None:
        yield warning("tokens: SimpleJWT is not installed; the server's own token endpoints use its defaults")


def channel_layer() -> Findings:
    backend = getattr(settings, "CHANNEL_LAYERS", {}).get("default", {}).get("BACKEND")
    if backend is None:
        return
    if backend in LAYERS:
        yield ok(f"channel layer: {backend} is one that the server can join")
    else:
        yield warning(f"channel layer: {backend} stays inside Django; group_send does not reach the server's sockets")


def tables() -> Findings:
    """Whether the server has made its tables where Django looks for them, and Django its own."""
    connection = connections[router.db_for_read(Notification)]
    try:
        with connection.cursor() as cursor:
            there = set(connection.introspection.table_names(cursor))
            for model in apps.get_app_config("holodrive").get_models():
                if not model._meta.managed:
                    yield from _table(connection, cursor, model, there)
        executor = MigrationExecutor(connection)
        targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] == "holodrive"]
        if executor.migration_plan(targets):
            yield failed("tables: holodrive_hook_answer is not there; run `manage.py migrate holodrive`")
    except DatabaseError as error:
        yield failed(f"tables: {error}")


def _table(connection: Any, cursor: Any, model: Any, there: set[str]) -> Findings:
    name = model._meta.db_table
    if name not in there:
        yield failed(f"tables: {name} is not there; is the server's DATABASE_URL this database?")
        return
    columns = {column.name for column in connection.introspection.get_table_description(cursor, name)}
    missing = {field.column for field in model._meta.local_concrete_fields} - columns - {None}
    if missing:
        yield failed(f"tables: {name} has no {', '.join(sorted(missing))}; package and server are of different versions")
    else:
        yield ok(f"tables: {name}")


def hooks(django_url: str) -> Findings:
    """The server tells nobody its secret: whether it is the same shows when it asks."""
    path = hooks_path()
    if path is None and config.hooks_secret:
        yield failed('hooks: HOOKS_SECRET is set, but no URL: path("holodrive/hooks/", include("holodrive.urls"))')
    elif path is None:
        yield ok("hooks: not used (neither URL nor secret)")
    elif not config.hooks_secret:
        yield failed(f"hooks: {path} is mounted, but HOLODRIVE['HOOKS_SECRET'] is not set")
    else:
        yield ok(f"hooks: mounted at {path}")
        yield from _way_of_hooks(path, urlsplit(django_url))
        yield unknown("hooks: whether the server has the same HOOKS_SECRET; `holodrive check` tells it there")


def _way_of_hooks(path: str, url: SplitResult) -> Findings:
    """What Django does with a request before our view sees it."""
    if not validate_host(url.hostname or "", settings.ALLOWED_HOSTS or [".localhost", "127.0.0.1", "[::1]"]):
        yield failed(f"hooks: the server asks {url.hostname} (--django-url), which is not in ALLOWED_HOSTS")
    exempt = any(re.search(pattern, path.lstrip("/")) for pattern in settings.SECURE_REDIRECT_EXEMPT)
    if settings.SECURE_SSL_REDIRECT and url.scheme == "http" and not exempt:
        yield failed(f"hooks: SECURE_SSL_REDIRECT sends the server away; add {path.lstrip('/')} to SECURE_REDIRECT_EXEMPT")


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
