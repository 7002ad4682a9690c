"""On PostgreSQL: what `holodrive_check --env` suggests is what is needed, and no more."""

import beside_postgres
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from holodrive.models import Notification, Order
from holodrive.postgres import tables

pytestmark = pytest.mark.skipif(not beside_postgres.is_wanted(), reason="on PostgreSQL only")


def value(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()[0]


def test_the_server_only_reads_djangos_tables():
    for table in tables():
        allowed = [right for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "REFERENCES")
                   if value("SELECT has_table_privilege(%s, %s, %s)", beside_postgres.SERVER, table, right)]
        assert allowed == ["SELECT"], table


def test_django_only_reads_the_servers_tables_in_their_schema():
    for model in (Notification, Order):
        table = f"holodrive.{model._meta.db_table}"
        allowed = [right for right in ("SELECT", "INSERT", "UPDATE", "DELETE")
                   if value("SELECT has_table_privilege(%s, %s)", table, right)]
        assert allowed == ["SELECT"] and model.objects.count() >= 0
    owner = value("SELECT tableowner FROM pg_tables WHERE schemaname = 'holodrive' LIMIT 1")
    assert owner == beside_postgres.SERVER


def test_a_search_path_without_the_schema_is_found(capsys):
    value("SELECT set_config('search_path', 'public', FALSE)")
    try:
        with pytest.raises(CommandError):
            call_command("holodrive_check", no_color=True)
    finally:
        connection.close()
    report = capsys.readouterr().out
    assert "it is in the schema holodrive: DATABASES needs 'OPTIONS'" in report, report
