"""A database of PostgreSQL for the tests, with two roles: Django's owns it, the server's only reads Django's tables."""

import os
import re
import uuid
from urllib.parse import urlsplit

import psycopg

#: The variable with the address of a superuser, set by `acceptance/postgres_server.py`.
VARIABLE = "HOLODRIVE_TEST_POSTGRES"
DJANGO, SERVER = "web", "realtime"


def is_wanted() -> bool:
    return VARIABLE in os.environ


def url(database: str, role: str) -> str:
    """The address of a database for a role."""
    parts = urlsplit(os.environ[VARIABLE])
    return f"postgres://{role}@{parts.hostname}:{parts.port}/{database}"


def create_database() -> str:
    """A new database of Django's."""
    name = f"rides_{uuid.uuid4().hex}"
    with psycopg.connect(os.environ[VARIABLE], autocommit=True) as connection:
        roles = [role for (role,) in connection.execute("SELECT rolname FROM pg_roles")]
        if DJANGO not in roles:
            connection.execute(f"CREATE ROLE {DJANGO} LOGIN")
        if SERVER in roles:
            connection.execute(f"DROP ROLE {SERVER}")
        connection.execute(f"CREATE DATABASE {name} OWNER {DJANGO}")
    return name


def let_in_the_server(database: str):
    """Runs what `holodrive_check --env` suggests, word for word but for the password."""
    from django.conf import settings

    from holodrive.postgres import statements

    superuser = urlsplit(os.environ[VARIABLE]).username
    with psycopg.connect(url(database, superuser), autocommit=True) as connection:
        for statement in statements(settings.DATABASES["default"], role=SERVER):
            connection.execute(re.sub("'…'", "'secret'", statement))
