"""The setting `HOLODRIVE`, read when it is needed, so that `override_settings` counts at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

DEFAULTS: Final[Mapping[str, Any]] = {
    "URL": "http://127.0.0.1:9000",
    "API_KEY": "",
    "HOOKS_SECRET": "",
    "HOOKS_TOLERANCE": 300,
    "HANDLERS": "holodrive.hooks.Handlers",
    "TIMEOUT": 5,
    "RETRIES": 2,
    "WEBSOCKET_URL": "",
}


class Config:
    """What `settings.HOLODRIVE` says, with the defaults for what it leaves out."""

    def _get(self, name: str) -> Any:
        given = getattr(settings, "HOLODRIVE", {})
        return given.get(name, DEFAULTS[name])

    @property
    def url(self) -> str:
        """Where this back end reaches the server, without a last slash."""
        return str(self._get("URL")).rstrip("/")

    @property
    def api_key(self) -> str:
        """One of the server's `API_KEYS`."""
        key = str(self._get("API_KEY"))
        if not key:
            raise ImproperlyConfigured("HOLODRIVE['API_KEY'] is not set: give it one of the server's API_KEYS")
        return key

    @property
    def hooks_secret(self) -> str:
        """The server's `HOOKS_SECRET`; empty where there are no hooks."""
        return str(self._get("HOOKS_SECRET"))

    @property
    def hooks_tolerance(self) -> float:
        """Seconds by which a hook's timestamp may be off."""
        return float(self._get("HOOKS_TOLERANCE"))

    @property
    def handlers(self) -> str:
        """Dotted path of the subclass of `holodrive.hooks.Handlers`."""
        return str(self._get("HANDLERS"))

    @property
    def timeout(self) -> float:
        """Seconds for one attempt of a request."""
        return float(self._get("TIMEOUT"))

    @property
    def retries(self) -> int:
        """Further attempts after one that failed."""
        return int(self._get("RETRIES"))

    @property
    def websocket_url(self) -> str:
        """The authority at which browsers find the sockets, such as `rt.example.com`; `URL`'s own by default."""
        return str(self._get("WEBSOCKET_URL")) or urlsplit(self.url).netloc


config: Final = Config()
