"""What `django-admin startproject` writes, beside HoloDrive. The environment says on which database, and with which user model."""

import os
from typing import Any
from urllib.parse import unquote, urlsplit

SECRET_KEY = os.environ.get("SECRET_KEY", "package-secret-key-0123456789-abcdefghijklmnopqrstuvwxyz")
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "project.urls"
USE_TZ = True
TIME_ZONE = "Asia/Tashkent"
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = os.environ.get("USER_MODEL", "auth.User")
if AUTH_USER_MODEL != "auth.User":
    SIMPLE_JWT = {"USER_ID_FIELD": "uid"}
# Many users are made; how their passwords are stored is not the matter here.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]


def database(url: str) -> dict[str, Any]:
    """An entry of DATABASES from the server's own DATABASE_URL."""
    if url.startswith("sqlite://"):
        options = {"timeout": 20, "transaction_mode": "IMMEDIATE"}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": url.removeprefix("sqlite://"), "OPTIONS": options}
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql", "NAME": parts.path.lstrip("/"), "HOST": parts.hostname or "",
        "PORT": parts.port or "", "USER": unquote(parts.username or ""), "PASSWORD": unquote(parts.password or ""),
        # The server's tables are in a schema of their own.
        "OPTIONS": {"options": "-c search_path=public,holodrive"},
    }


DATABASES = {"default": database(os.environ.get("DATABASE_URL", "sqlite:///tmp/never-opened.db"))}

HOLODRIVE = {
    "URL": os.environ.get("HOLODRIVE_URL", "http://127.0.0.1:9"),
    "API_KEY": "package-api-key",
    "HOOKS_SECRET": "package-hooks-secret-0123456789",
    "HANDLERS": "project.realtime.Handlers",
}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework_simplejwt",
    "holodrive",
    "project",
    *([AUTH_USER_MODEL.split(".")[0]] if AUTH_USER_MODEL != "auth.User" else []),
]

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [os.path.join(os.path.dirname(__file__), "templates")],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
