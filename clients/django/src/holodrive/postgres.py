"""PostgreSQL: the address for the server, a schema for its tables, and what roles must be allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from getpass import getuser
from typing import Any, Final
from urllib.parse import quote, urlencode

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from .user_model import groups_of

#: The name of the schema, and of the role, that is suggested.
OWN: Final = "holodrive"
TLS_OPTIONS: Final = ("sslmode", "sslrootcert")

Entry = Mapping[str, Any]


def is_postgres(entry: Entry) -> bool:
    """Whether an entry of `DATABASES` is PostgreSQL."""
    return str(entry["ENGINE"]).rpartition(".")[2] in {"postgresql", "postgis"}


def postgres_url(entry: Entry) -> str:
    """The address as the server takes it; everything that could mean something else is percent-encoded."""
    user, password = (quote(str(entry.get(name) or ""), safe="") for name in ("USER", "PASSWORD"))
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    host, port = str(entry.get("HOST") or ""), str(entry.get("PORT") or "")
    is_folder = host.startswith("/")
    options = {name: value for name, value in (entry.get("OPTIONS") or {}).items() if name in TLS_OPTIONS}
    query = urlencode({**({"host": host} if is_folder else {}), **options}, safe="/")
    authority = login + ("" if is_folder else host) + (f":{port}" if port else "")
    return f"postgres://{authority}/{quote(str(entry['NAME']), safe='')}" + (f"?{query}" if query else "")


def search_path(entry: Entry) -> list[str]:
    """The schemas in which Django looks for tables, as far as `OPTIONS` says so."""
    options = str((entry.get("OPTIONS") or {}).get("options") or "")
    found = re.search(r"search_path\s*=\s*(\S+)", options)
    return [name.strip('"') for name in found[1].split(",")] if found else ["public"]


def statements(entry: Entry, role: str = OWN, schema: str = OWN) -> Iterator[str]:
    """What a superuser runs once in Django's database, so that the server may read Django's tables and nothing more,
    and Django the server's."""
    django = named(str(entry.get("USER") or getuser()))
    home = next((each for each in search_path(entry) if each not in {schema, "$user"}), "public")
    yield f"CREATE ROLE {named(role)} LOGIN PASSWORD '…'"
    yield f"GRANT USAGE ON SCHEMA {named(home)} TO {named(role)}"
    yield f"GRANT SELECT ON {', '.join(f'{named(home)}.{named(table)}' for table in tables())} TO {named(role)}"
    yield f"CREATE SCHEMA {named(schema)} AUTHORIZATION {named(role)}"
    yield f"GRANT USAGE ON SCHEMA {named(schema)} TO {django}"
    yield f"ALTER DEFAULT PRIVILEGES FOR ROLE {named(role)} IN SCHEMA {named(schema)} GRANT SELECT ON TABLES TO {django}"


def tables() -> Iterable[str]:
    """Django's tables that the server reads."""
    model = get_user_model()
    yield model._meta.db_table
    if groups := groups_of(model):
        yield groups.m2m_db_table()
    yield Group._meta.db_table
    if apps.is_installed("django.contrib.sessions"):
        yield "django_session"
    if apps.is_installed("rest_framework_simplejwt.token_blacklist"):
        yield from ("token_blacklist_outstandingtoken", "token_blacklist_blacklistedtoken")


def named(name: str) -> str:
    """An identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def advice(entry: Entry) -> Iterator[str]:
    """How to give the server a role and a schema of its own."""
    yield "PostgreSQL: the server can have a role that only reads Django's tables, and a schema for its own. Once, as"
    yield "a superuser in this database, and after `manage.py migrate`:"
    yield from (f"  {each};" for each in statements(entry))
    yield f"Then put that role into DATABASE_URL, here set DATABASE_SCHEMA={OWN}, and let Django find the tables there:"
    yield f"  DATABASES['default']['OPTIONS'] = {{'options': '-c search_path={','.join([*search_path(entry), OWN])}'}}"
    yield f"(behind PgBouncer instead: ALTER ROLE {named(str(entry.get('USER') or getuser()))} SET search_path = …)"
