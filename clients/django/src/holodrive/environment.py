"""The server's settings that follow from Django's, as lines of its `.env`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DEFAULT_DB_ALIAS
from django.urls import NoReverseMatch, reverse

from .conf import config

Lines = Iterator[tuple[str, str]]

LAYERS: Final = {
    "channels_redis.core.RedisChannelLayer": "core",
    "channels_redis.pubsub.RedisPubSubChannelLayer": "pubsub",
}
LAYER_OPTIONS: Final = {
    "prefix": "CHANNEL_LAYER_PREFIX",
    "serializer_format": "CHANNEL_LAYER_SERIALIZER",
    "expiry": "CHANNEL_LAYER_EXPIRY",
    "group_expiry": "CHANNEL_LAYER_GROUP_EXPIRY",
}
JWT_OPTIONS: Final = (
    "ALGORITHM", "SIGNING_KEY", "VERIFYING_KEY", "JWK_URL", "AUDIENCE", "ISSUER", "LEEWAY", "CHECK_REVOKE_TOKEN",
    "CHECK_USER_IS_ACTIVE", "USER_ID_FIELD", "USER_ID_CLAIM", "AUTH_TOKEN_CLASSES", "ACCESS_TOKEN_LIFETIME",
    "REFRESH_TOKEN_LIFETIME",
)


def dotenv(django_url: str) -> str:
    """The whole file. It holds secrets."""
    lines = [f"{name}={quoted(value)}" for name, value in variables(django_url)]
    return "\n".join(["# From Django's settings, by `manage.py holodrive_check --env`. It holds secrets.", *lines, ""])


def variables(django_url: str) -> Lines:
    """Names and values of everything that follows from Django's settings."""
    yield from addresses()
    yield from database()
    yield "SECRET_KEY", str(settings.SECRET_KEY)
    yield "SECRET_KEY_FALLBACKS", listed(settings.SECRET_KEY_FALLBACKS)
    yield from sessions()
    yield from origins()
    yield from users()
    yield from tokens()
    yield from channel_layer()
    if api_key := getattr(settings, "HOLODRIVE", {}).get("API_KEY"):
        yield "API_KEYS", str(api_key)
    yield from hooks(django_url)


def addresses() -> Lines:
    """Where it listens, if nothing stands between, and what browsers are told."""
    url = urlsplit(config.url)
    if url.scheme == "http" and url.port:
        yield "WEBSOCKET_PORT", str(url.port)
    yield "WEBSOCKET_URL", config.websocket_url


def database() -> Lines:
    """The default database; engines that the server does not know are left out."""
    entry: Mapping[str, Any] = settings.DATABASES[DEFAULT_DB_ALIAS]
    engine = str(entry["ENGINE"]).rpartition(".")[2]
    if engine == "sqlite3":
        yield "DATABASE_URL", f"sqlite://{entry['NAME']}"
    elif engine in {"postgresql", "postgis"}:
        yield "DATABASE_URL", postgres_url(entry)


def postgres_url(entry: Mapping[str, Any]) -> str:
    user, password = (quote(str(entry.get(name) or ""), safe="") for name in ("USER", "PASSWORD"))
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    host, port = str(entry.get("HOST") or ""), str(entry.get("PORT") or "")
    is_folder = host.startswith("/")
    authority = login + ("" if is_folder else host) + (f":{port}" if port else "")
    return f"postgres://{authority}/{quote(str(entry['NAME']))}" + (f"?host={quote(host)}" if is_folder else "")


def sessions() -> Lines:
    """Cookies, and who may have opened a session."""
    yield "SESSION_COOKIE_NAME", settings.SESSION_COOKIE_NAME
    yield "SESSION_COOKIE_AGE", str(settings.SESSION_COOKIE_AGE)
    yield "CSRF_COOKIE_NAME", settings.CSRF_COOKIE_NAME
    yield "SECURE_COOKIES", spelled(settings.SESSION_COOKIE_SECURE)
    yield "AUTHENTICATION_BACKENDS", listed(settings.AUTHENTICATION_BACKENDS)


def origins() -> Lines:
    """Where pages with the bell come from: `*` is left out, since it would open the sockets to every site."""
    hosts = list(settings.ALLOWED_HOSTS) or (["localhost", "127.0.0.1"] if settings.DEBUG else [])
    trusted = [origin.replace("://*.", "://.") for origin in settings.CSRF_TRUSTED_ORIGINS]
    if found := [origin for origin in [*hosts, *trusted] if origin != "*"]:
        yield "ALLOWED_ORIGINS", listed(dict.fromkeys(found))


def users() -> Lines:
    """The names of the user model's tables and columns."""
    model = get_user_model()
    yield "AUTH_USER_TABLE", model._meta.db_table
    if groups := groups_of(model):
        yield "AUTH_USER_GROUPS_TABLE", groups.m2m_db_table()
        yield "AUTH_USER_GROUPS_USER_COLUMN", groups.m2m_column_name()
    login: Any = model._meta.get_field(model.USERNAME_FIELD)
    yield "AUTH_LOGIN_FIELD", login.column


def groups_of(model: Any) -> Any:
    """The field that says in which of Django's groups a user is; None where there is none."""
    from django.contrib.auth.models import Group

    fields = model._meta.many_to_many
    return next((field for field in fields if field.name == "groups" and field.related_model is Group), None)


def tokens() -> Lines:
    """`SIMPLE_JWT`, with SimpleJWT's defaults; nothing where SimpleJWT is not installed."""
    if find_spec("rest_framework_simplejwt") is None:
        return
    from rest_framework_simplejwt.settings import api_settings

    for option in JWT_OPTIONS:
        value = getattr(api_settings, option, None)
        if value is None or value == "" or (option == "SIGNING_KEY" and value == settings.SECRET_KEY):
            continue
        if option == "AUTH_TOKEN_CLASSES":
            value = [kind.__name__ for kind in value]
        yield f"JWT_{option}", spelled(value)


def channel_layer() -> Lines:
    """The default layer, where it is one of channels_redis."""
    layer = getattr(settings, "CHANNEL_LAYERS", {}).get("default", {})
    backend = LAYERS.get(layer.get("BACKEND", ""))
    if backend is None:
        return
    options = layer.get("CONFIG", {})
    yield "CHANNEL_LAYER_BACKEND", backend
    yield "CHANNEL_LAYER_URL", listed(redis_url(host) for host in options.get("hosts") or [("localhost", 6379)])
    if keys := options.get("symmetric_encryption_keys"):
        yield "CHANNEL_LAYER_ENCRYPTION_KEYS", listed(spelled(key) for key in keys)
    for option, variable in LAYER_OPTIONS.items():
        if option in options:
            yield variable, spelled(options[option])


def redis_url(host: Any) -> str:
    """A host of channels_redis: an address, a pair, or a dict with either as `address`."""
    if isinstance(host, Mapping):
        host = host.get("address", (host.get("host", "localhost"), host.get("port", 6379)))
    return host if isinstance(host, str) else f"redis://{host[0]}:{host[1]}/0"


def hooks(django_url: str) -> Lines:
    """Where the hooks are, when they are mounted and have a secret."""
    path = hooks_path()
    if path is not None and config.hooks_secret:
        yield "HOOKS_URL", django_url.rstrip("/") + path
        yield "HOOKS_SECRET", config.hooks_secret


def hooks_path() -> str | None:
    """The path that the names of the hooks are added to; None where `holodrive.urls` is not included."""
    try:
        return reverse("holodrive:hook", args=["hook"]).removesuffix("hook/")
    except NoReverseMatch:
        return None


def listed(values: Iterable[Any]) -> str:
    return ",".join(str(value) for value in values)


def spelled(value: Any) -> str:
    """A value as the server reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}"
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (list, tuple, set)):
        return listed(value)
    return str(value)


def quoted(value: str) -> str:
    """Single quotes keep everything as it is, line breaks too."""
    plain = value.replace("_", "").replace("-", "").replace(".", "").replace("/", "").replace(":", "")
    if not value or (plain.isascii() and plain.isalnum()):
        return value
    return "'" + value.replace("'", "'\\''") + "'"
