"""Compares Django's side with the server's, as far as each can be seen from here."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import WARNING, run_checks
from django.core.exceptions import FieldDoesNotExist
from django.http.request import validate_host

from .checks import SHARED_SESSIONS, TAG
from .conf import config
from .environment import LAYERS, hooks_path
from .errors import HoloDriveError
from .findings import Findings, failed, ok, unknown, warning
from .probes import api_key, browser_origins, found_user, server, session_of, tokens
from .tables import tables
from .user_model import groups_of

COLUMNS: Final = ("password", "first_name", "last_name", "is_staff", "is_active")


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
