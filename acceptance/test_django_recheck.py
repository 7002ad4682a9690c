"""Two hundred live connections are looked at again in a handful of statements, which PostgreSQL itself counts."""

import json

import pytest

from django_site import DJANGOS, MEMBERS, QUICK_PASSWORDS, ROLE, beside_django, open_with_session
from holodrive import wait_until

USERS = 100
ROUNDS = 3

# Runs in Django. Prints [[key, access token, key of a session], …].
MAKE_USERS = """
import json
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.contrib.sessions.backends.db import SessionStore
from rest_framework_simplejwt.tokens import AccessToken

password, drivers, made = make_password("x"), Group.objects.create(name="Driver"), []
for number in range(count):
    user = User.objects.create(**{User.USERNAME_FIELD: f"user{number}@example.com", "password": password})
    user.groups.add(drivers)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    made.append([str(user.pk), str(AccessToken.for_user(user)), session.session_key])
print(json.dumps(made))
"""

STATEMENTS = f"""
SELECT s.query, s.calls, s.rows FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
WHERE r.rolname = '{ROLE}' AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@pytest.fixture(scope="module", params=[DJANGOS, MEMBERS], ids=lambda users: users.name)
def beside(request, tmp_path_factory):
    with beside_django(
        tmp_path_factory.mktemp("beside"), "postgres", request.param, QUICK_PASSWORDS, RECHECK_INTERVAL=0.3,
    ) as both:
        yield both


class Counted:
    """Statements of the server on Django's tables since the last look."""

    def __init__(self, database):
        self.database = database
        database.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")

    def reset(self):
        self.database.execute("SELECT pg_stat_statements_reset()")

    def on(self, *tables: str) -> tuple[int, int]:
        """How many statements read one of these tables, and how many rows they gave."""
        found = [(calls, rows) for query, calls, rows in self.database.execute(STATEMENTS)
                 if any(f'"{table}"' in query for table in tables)]
        return sum(calls for calls, _ in found), sum(rows for _, rows in found)


def test_many_connections_are_one_question(beside):
    django, server = beside
    made = json.loads(django.run(f"count = {USERS}\n" + MAKE_USERS))
    by_token = {key: server.connect(f"/ws/driver/orders/?token={token}") for key, token, _ in made}
    by_session = {key: open_with_session(django, server, session) for key, _, session in made}
    for socket in (*by_token.values(), *by_session.values()):
        socket.expect("connection_established")
    for socket in by_token.values():
        socket.expect("initial_orders")

    table = "members_member" if django.users is MEMBERS else "auth_user"
    counted = Counted(server.shared)
    counted.reset()
    # Each round gives every user and every session once, so this proves so many rounds, however they ask.
    wait_until(lambda: all(counted.on(each)[1] >= ROUNDS * USERS for each in (table, "django_session")), "some rounds", 30)
    calls, rows = counted.on(table, "django_session", "auth_group")
    assert rows >= 3 * ROUNDS * USERS, "users, their groups, and their sessions"
    # 200 connections are 300 rows. Whoever asked for each of them would need a statement for each row, or for some few.
    assert calls * 25 <= rows, f"{calls} statements for {rows} rows"

    inactive, changed, dropped, logged_out = [key for key, _, _ in made[:4]]
    sessions = {key: session for key, _, session in made}
    django.run(
        "from django.contrib.sessions.models import Session\n"
        f"User.objects.filter(pk={inactive!r}).update(is_active=False)\n"
        f"user = User.objects.get(pk={changed!r})\nuser.set_password('another')\nuser.save()\n"
        f"User.objects.get(pk={dropped!r}).groups.clear()\n"
        f"Session.objects.filter(pk={sessions[logged_out]!r}).delete()")
    by_token.pop(inactive).refused(4401, "unauthorized")
    by_session.pop(inactive).refused(4401, "unauthorized")
    by_session.pop(changed).refused(4401, "unauthorized")
    by_token.pop(dropped).refused(4403, "forbidden")
    by_session.pop(logged_out).refused(4401, "unauthorized")
    for socket in (*by_token.values(), *by_session.values()):
        assert socket.so_far() == [], "everybody else stays"
