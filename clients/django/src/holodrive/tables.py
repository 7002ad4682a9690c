"""Whether the server's tables are where Django looks for them."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import DatabaseError, connections, router
from django.db.migrations.executor import MigrationExecutor

from .findings import Findings, failed, ok
from .models import Notification
from .postgres import search_path


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
            yield failed("tables: migrations of this package are missing; run `manage.py migrate holodrive`")
    except DatabaseError as error:
        yield failed(f"tables: {error}")


def _table(connection: Any, cursor: Any, model: Any, there: set[str]) -> Findings:
    name = model._meta.db_table
    if name not in there:
        yield failed(f"tables: {name} is not there; {_where(connection, cursor, name)}")
        return
    columns = {column.name for column in connection.introspection.get_table_description(cursor, name)}
    missing = {field.column for field in model._meta.local_concrete_fields} - columns - {None}
    if missing:
        yield failed(f"tables: {name} has no {', '.join(sorted(missing))}; package and server are of different versions")
    elif connection.vendor == "postgresql" and not _may_read(cursor, name):
        yield failed(f"tables: {name} may not be read by Django's role; `holodrive_check --env` shows the GRANT")
    else:
        yield ok(f"tables: {name}")


def _where(connection: Any, cursor: Any, name: str) -> str:
    """What is to be done about a table that Django does not see."""
    if connection.vendor == "postgresql":
        cursor.execute("SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = %s LIMIT 1", [name])
        if found := cursor.fetchone():
            path = ",".join([*search_path(connection.settings_dict), found[0]])
            return f"it is in the schema {found[0]}: DATABASES needs 'OPTIONS': {{'options': '-c search_path={path}'}}"
    return "is the server's DATABASE_URL this database?"


def _may_read(cursor: Any, name: str) -> bool:
    cursor.execute("SELECT has_table_privilege(%s, 'SELECT')", [name])
    return bool(cursor.fetchone()[0])
