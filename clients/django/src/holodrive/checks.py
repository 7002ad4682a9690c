"""What `manage.py check` says of the settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps.config import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.utils.module_loading import import_string

from .conf import DEFAULTS, config

SHARED_SESSIONS = ("django.contrib.sessions.backends.db", "django.contrib.sessions.backends.cached_db")
SECRET_LENGTH_MIN = 16
TAG = "holodrive"


@register(TAG)
def check_settings(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """All of the following, where the setting can be read at all."""
    given = getattr(settings, "HOLODRIVE", {})
    if not isinstance(given, dict):
        return [Error("HOLODRIVE must be a dict.", id="holodrive.E001")]
    found = [*_unknown(given), *_url(), *_numbers(given), *_websocket_url()]
    return [*found, *_handlers(), *_secrets(), *_sessions()]


def _unknown(given: dict[str, Any]) -> Iterable[CheckMessage]:
    for name in given.keys() - DEFAULTS.keys():
        yield Error(
            f"HOLODRIVE has no setting {name!r}.", hint=f"There are {', '.join(DEFAULTS)}.", id="holodrive.E002"
        )


def _url() -> Iterable[CheckMessage]:
    url = urlsplit(config.url)
    try:
        is_good = url.scheme in {"http", "https"} and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        is_good = False
    if not is_good or url.query or url.fragment:
        yield Error("HOLODRIVE['URL'] must look like http://127.0.0.1:9000.", id="holodrive.E003")


def _numbers(given: dict[str, Any]) -> Iterable[CheckMessage]:
    least = {"TIMEOUT": 0.001, "RETRIES": 0, "HOOKS_TOLERANCE": 1}
    for name, minimum in least.items():
        value = given.get(name, DEFAULTS[name])
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or value < minimum or (name == "RETRIES" and int(value) != value):
            yield Error(f"HOLODRIVE[{name!r}] must be a number from {minimum} on.", id="holodrive.E004")


def _websocket_url() -> Iterable[CheckMessage]:
    if "/" in config.websocket_url:
        yield Error(
            "HOLODRIVE['WEBSOCKET_URL'] must be a host with or without port.",
            hint="Such as rt.example.com:9000, without ws:// and path; what the server has as WEBSOCKET_URL.",
            id="holodrive.E005",
        )


def _handlers() -> Iterable[CheckMessage]:
    from .hooks import Handlers

    try:
        found = import_string(config.handlers)
    except ImportError as error:
        yield Error(f"HOLODRIVE['HANDLERS'] cannot be imported: {error}", id="holodrive.E006")
        return
    if not (isinstance(found, type) and issubclass(found, Handlers)):
        yield Error("HOLODRIVE['HANDLERS'] must name a subclass of holodrive.hooks.Handlers.", id="holodrive.E007")


def _secrets() -> Iterable[CheckMessage]:
    if not getattr(settings, "HOLODRIVE", {}).get("API_KEY"):
        yield Warning(
            "HOLODRIVE['API_KEY'] is not set: notify() and the rest cannot be used.",
            hint="Give it one of the server's API_KEYS.",
            id="holodrive.W001",
        )
    if 0 < len(config.hooks_secret) < SECRET_LENGTH_MIN:
        yield Warning(
            f"HOLODRIVE['HOOKS_SECRET'] has less than {SECRET_LENGTH_MIN} characters.",
            hint="python -c 'import secrets; print(secrets.token_urlsafe(32))' makes a good one.",
            id="holodrive.W002",
        )


def _sessions() -> Iterable[CheckMessage]:
    if settings.SESSION_ENGINE not in SHARED_SESSIONS:
        yield Warning(
            f"The server cannot read sessions of {settings.SESSION_ENGINE}.",
            hint=f"Set SESSION_ENGINE to one of {', '.join(SHARED_SESSIONS)}; tokens work all the same.",
            id="holodrive.W003",
        )
