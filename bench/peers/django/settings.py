"""Settings of the reference project: SQLite as durable as HoloDrive's, a Redis channel layer, SimpleJWT."""

import os

SECRET_KEY = os.environ["SECRET"]
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework_simplejwt",
    "channels",
    "chat",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["DATABASE"],
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
        },
    }
}
# The defaults of redis-py 8 lose messages and connections: a pool of 100 raises MaxConnectionsError under load, and a socket
# timeout of 5 s ends a consumer in which channels_redis waits 5 s for a message.
REDIS = {
    "address": f"redis://127.0.0.1:{os.environ['REDIS_PORT']}/0",
    "max_connections": 50_000,
    "socket_timeout": None,
}
CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [REDIS], "capacity": 2_000}}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
