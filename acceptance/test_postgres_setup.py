"""Django's PostgreSQL from the outside: roles that may do little, addresses that lead nowhere, and what is said of it."""

import socket

import psycopg
import pytest

import db
from holodrive import Server
from orders import accepted_order
from postgres_server import PostgresServer
from test_chat import direct, enter, say
from users import PASSWORD

DJANGO = ("auth_user", "auth_group", "auth_user_groups", "django_session")
POSTGRES_PASSWORD = "a password that nobody may read"


@pytest.fixture(scope="module")
def postgres():
    """A server that asks the roles of these tests for a password, and has forgotten about `public`."""
    server = PostgresServer()
    rules = server.data / "pg_hba.conf"
    rules.write_text(f"host all limited,stranger 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
    with psycopg.connect(server.url(), autocommit=True) as administrator:
        administrator.execute("SELECT pg_reload_conf()")
        administrator.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        for role in ("limited", "stranger"):
            administrator.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{POSTGRES_PASSWORD}'")
    yield server
    server.finish()


def url(postgres, user="limited", password=POSTGRES_PASSWORD, database="postgres", port=None) -> str:
    secret = password.replace(" ", "%20")
    return f"postgres://{user}:{secret}@127.0.0.1:{port or postgres.port}/{database}"


@pytest.fixture
def django(postgres, tmp_path):
    """The database of a Django, which the role `limited` may only read: a URL for its administrator."""
    database = db.new_schema(postgres.url())
    schema = database.rpartition("%3D")[2]
    (tmp_path / "django").mkdir()
    Server(tmp_path / "django", database=database).cli("migrate")
    with db.connect(database) as administrator:
        tables = administrator.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = ? AND tablename LIKE 'holodrive%'", (schema,)).fetchall()
        administrator.execute(f"DROP TABLE {', '.join(name for name, in tables)} CASCADE")
        administrator.execute(f"GRANT USAGE ON SCHEMA {schema} TO limited")
        administrator.execute(f"GRANT SELECT ON {', '.join(DJANGO)} TO limited")
    return database


@pytest.fixture
def beside(django, start_server):
    """A server with its own schema beside Django's; tests look at both as the administrator."""
    schema = django.rpartition("%3D")[2]
    own = f"own_{schema}"
    with db.connect(django) as administrator:
        administrator.execute(f"CREATE SCHEMA {own} AUTHORIZATION limited")
    limited = django.replace("holodrive@", f"limited:{POSTGRES_PASSWORD.replace(' ', '%20')}@")
    server = start_server(database=limited, DATABASE_SCHEMA=own)
    server.database = django.replace(schema, f"{own},{schema}")
    return server


def test_a_role_that_may_only_read_djangos_tables(beside):
    server = beside
    server.cli("migrate")
    alice, bob = server.user(), server.user()
    assert alice.get("/api/me/").status_code == 200
    obtained = server.http.post("/api/token/", json={"username": alice.username, "password": PASSWORD})
    assert obtained.status_code == 200, obtained.text
    conversation_id = direct(server, alice, bob)
    here, there = enter(alice, conversation_id), enter(bob, conversation_id)
    say(here, "hello")
    assert here.expect("chat_message") == there.expect("chat_message")
    accepted_order(server)
    assert server.notify(user_id=bob.id, title="T", message="M", notification_type="t").status_code == 201
    db.assert_consistent(server.database)


def test_sessions_are_left_to_django(beside):
    server = beside
    user = server.user()
    body = {"username": user.username, "password": PASSWORD}
    for _ in range(2):
        refused = server.http.post("/api/session/", json=body, headers={"Origin": "http://good.example"})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), refused.text
        assert "Django" in refused.json()["detail"]
    assert server.rows("SELECT count(*) FROM django_session") == [(0,)]
    assert server.is_ready() and user.get("/api/me/").status_code == 200


def test_a_user_cannot_be_added(beside):
    result = beside.cli("user", "add", "somebody", "--password", "a good password", check=False)
    assert result.returncode == 1
    assert "permission denied for table auth_user" in only_line(result)


def test_check_of_a_healthy_server(beside):
    beside.user(groups=["Driver"])
    report = beside.cli("check").stdout
    assert "PostgreSQL" in report and "commits wait for the disk" in report and "FAIL" not in report
    assert POSTGRES_PASSWORD not in report


def only_line(result) -> str:
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.mark.parametrize("command", ["serve", "migrate", "check"])
@pytest.mark.parametrize("wrong, told", [
    ({"port": 1}, "start PostgreSQL"),
    ({"password": "quite another secret"}, "check the user and the password"),
    ({"user": "nobody_at_all"}, "check the user"),
    ({"user": "holodrive", "database": "nowhere"}, "create the database"),
    ({"user": "stranger"}, "GRANT"),
], ids=lambda wrong: "-".join(wrong) if isinstance(wrong, dict) else "")
def test_a_database_that_cannot_be_used(postgres, tmp_path, command, wrong, told):
    address = url(postgres, **wrong)
    server = Server(tmp_path, database="unused", DATABASE_URL=address)
    result = server.cli(command, check=False)
    assert result.returncode == 1
    line = only_line(result)
    said = result.stdout if command == "check" else line
    assert told in said, (line, result.stdout)
    for secret in (POSTGRES_PASSWORD, "quite another secret", "quite%20another"):
        assert secret not in result.stdout + result.stderr


def test_an_address_where_nobody_answers(postgres, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = url(postgres, port=silent.getsockname()[1])
        result = Server(tmp_path, database="unused", DATABASE_URL=address, DATABASE_TIMEOUT=1).cli("migrate", check=False)
    assert result.returncode == 1
    assert "does not answer" in only_line(result)


def test_a_role_without_a_schema_of_its_own_may_not_make_one(django, tmp_path):
    limited = django.replace("holodrive@", f"limited:{POSTGRES_PASSWORD.replace(' ', '%20')}@")
    server = Server(tmp_path, database=limited, DATABASE_SCHEMA="not_there")
    for command in ("migrate", "serve"):
        result = server.cli(command, check=False)
        assert result.returncode == 1
        assert "GRANT" in only_line(result), result.stderr
