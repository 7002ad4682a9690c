"""What `django-admin startproject` writes, with the database, the keys and what a test is about from the environment."""

import json
import os

SECRET_KEY = os.environ["SECRET_KEY"]
SECRET_KEY_FALLBACKS = json.loads(os.environ.get("SECRET_KEY_FALLBACKS", "[]"))
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "project.urls"
USE_TZ = True
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DATABASE_PATH"),
        "OPTIONS": {"timeout": 20},
    }
}
# A PostgreSQL database as JSON: HOST, PORT, USER, NAME.
if postgres := os.environ.get("DATABASE_POSTGRES"):
    DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", **json.loads(postgres)}}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework_simplejwt",
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

ASGI_APPLICATION = "project.asgi.application"
# The layer as JSON: BACKEND, and CONFIG as the documents of channels_redis have it.
if layer := os.environ.get("CHANNEL_LAYER"):
    CHANNEL_LAYERS = {"default": json.loads(layer)}

# Settings that a test is about, as JSON by their names.
globals().update(json.loads(os.environ.get("DJANGO_SETTINGS", "{}")))
