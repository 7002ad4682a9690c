"""Columns that projects add or change: other keys in tokens, addresses without letter case, numbers to log in with, dates."""

import contextlib
import json
import uuid

import pytest

from django_site import (DJANGOS, ENGINES, MEMBERS, PASSWORD, QUICK_PASSWORDS, Django, bearer, database,
                         open_with_session)
from holodrive import Server
from users import access_token

ALTER = "from django.db import connection\nfor statement in statements: connection.cursor().execute(statement)"
UUID_TYPE = {"sqlite": "char(32)", "postgres": "uuid"}


@contextlib.contextmanager
def changed(tmp_path, engine: str, statements=(), users=DJANGOS, settings=None):
    """Django with a changed user table, and a way to start the server on it: (django, start)."""
    shared, servers = database(engine, tmp_path), []
    django = Django(shared, users, **QUICK_PASSWORDS, **(settings or {}))
    django.manage("migrate", "-v0")
    django.run(f"statements = {list(statements)!r}\n{ALTER}")
    shared.admit_server()

    def start(**variables) -> Server:
        servers.append(Server(tmp_path, ALLOWED_ORIGINS="127.0.0.1", **shared.server_env, **users.variables, **variables))
        return servers[-1].start()

    try:
        yield django, start
    finally:
        django.stop()
        for server in servers:
            server.finish()


@pytest.mark.parametrize("engine", ENGINES)
def test_tokens_name_users_by_another_key(tmp_path, engine):
    added = [f"ALTER TABLE auth_user ADD COLUMN public_id {UUID_TYPE[engine]} NULL",
             "ALTER TABLE auth_user ADD COLUMN number bigint NULL"]
    with changed(tmp_path, engine, added) as (django, start):
        first, second = django.create_user("first"), django.create_user("second")
        public = uuid.uuid4()
        stored = public.hex if engine == "sqlite" else str(public)
        django.run(f"statements = [\"UPDATE auth_user SET public_id = '{stored}', number = {first} WHERE id = {second}\"]\n" + ALTER)

        def me(server, token):
            return server.http.get("/api/me/", headers=bearer(token))

        def log_in(server, name, field="username"):
            return server.http.post("/api/token/", json={field: name, "password": PASSWORD})

        server = start(JWT_USER_ID_FIELD="public_id")
        for name in (str(public), public.hex, str(public).upper()):
            assert me(server, access_token(name)).json()["id"] == second
        assert server.connect(f"/ws/notifications/?token={access_token(public)}").receive()["user_id"] == str(second)
        for name in (uuid.uuid4(), second, first, "x"):
            assert me(server, access_token(name)).status_code == 401
        assert me(server, log_in(server, "second").json()["access"]).json()["id"] == second
        server.finish()

        # The second one's number is the first one's key.
        server = start(JWT_USER_ID_FIELD="number", AUTH_LOGIN_FIELD="username")
        assert me(server, access_token(first)).json()["id"] == second
        assert me(server, log_in(server, "second").json()["access"]).json()["id"] == second
        assert log_in(server, "first").status_code == 401, "no token could name him"
        asked = server.cli("token", "first", check=False)
        assert asked.returncode == 1 and "JWT_USER_ID_FIELD" in asked.stderr
        assert me(server, access_token(public)).status_code == 401
        server.finish()

        server = start(AUTH_LOGIN_FIELD="number")
        pair = log_in(server, str(first), field="number").json()
        assert me(server, pair["access"]).json()["id"] == second
        assert me(server, pair["access"]).json()["username"] == str(first)
        assert me(server, access_token(first)).json()["username"] == "", "he has none"
        assert log_in(server, "x", field="number").status_code == 401


def test_an_address_without_letter_case_is_compared_as_django_compares_it(tmp_path):
    altered = ["CREATE EXTENSION citext", "ALTER TABLE members_member ALTER COLUMN email TYPE citext"]
    with changed(tmp_path, "postgres", altered, MEMBERS) as (django, start):
        user = django.create_user("Mixed")
        assert django.run("print(User.objects.get(email='mIXED@EXAMPLE.COM').pk)") == user
        server = start()
        for name in ("Mixed@example.com", "mIXED@EXAMPLE.COM"):
            answer = server.http.post("/api/token/", json={"email": name, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
        token = answer.json()["access"]
        assert server.http.get("/api/me/", headers=bearer(token)).json()["username"] == "Mixed@example.com"
        assert server.cli("token", "MIXED@example.com").stdout.count(".") == 2


def test_sessions_end_when_they_should_whatever_the_time_zone(tmp_path):
    """Without USE_TZ Django reckons in local time; PostgreSQL stores the moment all the same."""
    settings = {"USE_TZ": False, "TIME_ZONE": "Asia/Tashkent"}
    with changed(tmp_path, "postgres", settings=settings) as (django, start):
        django.create_user("user1")
        good, over = json.loads(django.run(
            "import json\nfrom datetime import timedelta\nfrom django.test import Client\n"
            "from django.contrib.sessions.models import Session\nfrom django.utils import timezone\n"
            "keys = []\n"
            "for hours in (1, -1):\n"
            "    client = Client()\n"
            "    client.force_login(User.objects.get(username='user1'))\n"
            "    keys.append(client.session.session_key)\n"
            "    Session.objects.filter(pk=keys[-1]).update(expire_date=timezone.now() + timedelta(hours=hours))\n"
            "print(json.dumps(keys))"))
        server = start()
        open_with_session(django, server, good).expect("connection_established")
        open_with_session(django, server, over).refused(4401, "unauthorized")
        user = django.create_user("user2", staff=True)
        made = server.http.post("/api/session/", json={"username": "user2", "password": PASSWORD})
        assert made.status_code == 200, made.text
        session = server.http.cookies["sessionid"]
        assert django.run(
            "from django.contrib.sessions.backends.db import SessionStore\n"
            f"print(SessionStore({session!r}).get('_auth_user_id'))") == str(user)
