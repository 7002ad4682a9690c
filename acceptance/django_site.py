"""A real Django project and the server beside it: on the same database, with the same key."""

import atexit
import contextlib
import functools
import itertools
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg

from holodrive import Server, free_port, wait_until
from postgres_server import PostgresServer
from users import SECRET_KEY

PROJECT = Path(__file__).parent / "django_project"
PASSWORD = "correct horse battery staple"
QUICK_PASSWORDS = {"PASSWORD_HASHERS": ["project.hashers.QuickHasher"]}
ENGINES = ["sqlite", "postgres"]
#: The database role of the server: it reads Django's tables, and writes sessions, as the console's login does.
ROLE = "holodrive_beside"

_numbers = itertools.count(1)


@dataclass(frozen=True)
class UserModel:
    """A user model of the project, and what the server must be told of it."""

    name: str
    settings: str = "project.settings"
    login_field: str = "username"
    claim: str = "user_id"
    has_names: bool = True
    variables: dict = field(default_factory=dict)

    def login_name(self, name: str) -> str:
        return name if self.login_field == "username" else f"{name}@example.com"


DJANGOS = UserModel("user")
MEMBERS = UserModel("member", "project.members_settings", login_field="email", variables={
    "AUTH_USER_TABLE": "members_member", "AUTH_USER_GROUPS_TABLE": "members_member_groups",
    "AUTH_USER_GROUPS_USER_COLUMN": "member_id", "AUTH_LOGIN_FIELD": "email",
})
CREW = UserModel("person", "project.crew_settings", login_field="address", claim="uid", has_names=False, variables={
    "AUTH_USER_TABLE": "crew_person", "AUTH_USER_GROUPS_TABLE": "crew_person_groups",
    "AUTH_USER_GROUPS_USER_COLUMN": "person_id", "AUTH_LOGIN_FIELD": "address",
    "JWT_USER_ID_FIELD": "uid", "JWT_USER_ID_CLAIM": "uid",
})


class SqliteFile:
    """One file for both."""

    def __init__(self, directory: Path):
        (directory / "data").mkdir(exist_ok=True)
        path = directory / "data" / "holodrive.db"
        self.django_env = {"DATABASE_PATH": str(path)}
        self.server_env = self.owner_env = {"DATABASE_URL": f"sqlite://{path}"}

    def admit_server(self):
        """There are no roles."""


class PostgresDatabase:
    """A database of its own, in which the server has a role of its own and its tables in a schema of their own."""

    def __init__(self):
        self.server = postgres_server()
        self.name = f"beside{next(_numbers)}"
        self.url = self.server.create_database(self.name)
        self.django_env = {"DATABASE_POSTGRES": json.dumps(
            {"HOST": "127.0.0.1", "PORT": self.server.port, "USER": "holodrive", "NAME": self.name})}
        self.owner_env = {"DATABASE_URL": self.url}
        self.server_env = {"DATABASE_URL": self.server.url(self.name, ROLE), "DATABASE_SCHEMA": "holodrive"}

    def execute(self, statement: str) -> list:
        """What the owner of the database does."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def admit_server(self):
        """After Django's migrations: the role sees them, and may change nothing but sessions."""
        self.execute(
            f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
            f" CREATE SCHEMA IF NOT EXISTS holodrive AUTHORIZATION {ROLE};"
            f" GRANT SELECT ON ALL TABLES IN SCHEMA public TO {ROLE}")
        if self.execute("SELECT to_regclass('django_session')") != [(None,)]:
            self.execute(f"GRANT INSERT, DELETE ON django_session TO {ROLE}")


@functools.cache
def postgres_server() -> PostgresServer:
    """One for all tests of the run; each takes a database of its own."""
    server = PostgresServer(synchronous_commit="off", shared_preload_libraries="'pg_stat_statements'")
    atexit.register(server.finish)
    return server


def database(engine: str, directory: Path):
    return PostgresDatabase() if engine == "postgres" else SqliteFile(directory)


class Django:
    """The project, its `manage.py`, its shell and its development server."""

    def __init__(self, database, users: UserModel = DJANGOS, secret_key: str = SECRET_KEY, fallbacks=(), **settings):
        self.port = free_port()
        self.users = users
        self.env = {
            **os.environ, **database.django_env, "SECRET_KEY": secret_key, "SECRET_KEY_FALLBACKS": json.dumps(fallbacks),
            "DJANGO_SETTINGS_MODULE": users.settings, "DJANGO_SETTINGS": json.dumps(settings),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.process = None
        self.shell = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def manage(self, *arguments) -> str:
        result = subprocess.run([sys.executable, "manage.py", *arguments], cwd=PROJECT, env=self.env, text=True,
                                capture_output=True, timeout=60)
        assert result.returncode == 0, result.stderr[-3000:]
        return result.stdout

    def run(self, code: str) -> str:
        """Runs statements in Django and returns the last line that they print; `User` is the project's model."""
        if not self.shell:
            self.shell = subprocess.Popen([sys.executable, "worker.py"], cwd=PROJECT, env=self.env, text=True,
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        prelude = "from django.contrib.auth import get_user_model\nUser = get_user_model()\n"
        self.shell.stdin.write(json.dumps(prelude + code) + "\n")
        self.shell.stdin.flush()
        answer = json.loads(self.shell.stdout.readline())
        assert answer["error"] is None, answer["error"]
        return (answer["printed"].strip().splitlines() or [""])[-1]

    def create_user(self, name: str, *, group=None, staff=False):
        """The new user's key; his login name is `self.users.login_name(name)`."""
        names = {"first_name": "Ali", "last_name": "Valiyev"} if self.users.has_names else {}
        key = self.run(
            f"user = User.objects.create_user(**{{User.USERNAME_FIELD: {self.users.login_name(name)!r}}},"
            f" password={PASSWORD!r}, **{names!r})\n"
            f"user.is_superuser = {staff}\n"
            f"if any(field.name == 'is_staff' for field in User._meta.fields): user.is_staff = {staff}\n"
            "user.save()\n"
            "from django.contrib.auth.models import Group\n"
            f"if {group!r}: user.groups.add(Group.objects.get_or_create(name={group!r})[0])\n"
            "print(user.pk)"
        )
        return int(key) if key.isdigit() else key

    def access_token(self, key) -> str:
        return self.run("from rest_framework_simplejwt.tokens import AccessToken\n"
                        f"print(AccessToken.for_user(User.objects.get(pk={str(key)!r})))")

    def serve(self) -> "Django":
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{self.port}"],
            cwd=PROJECT, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        wait_until(self.is_up, "Django answers", seconds=30, interval=0.1)
        return self

    def is_up(self) -> bool:
        assert self.process.poll() is None, "Django ended"
        try:
            return httpx.get(f"{self.url}/admin/login/", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self):
        for process in filter(None, (self.process, self.shell)):
            process.kill()
            process.wait()
        if self.shell:
            self.shell.stdin.close()
            self.shell.stdout.close()
        self.process = self.shell = None


class Browser(httpx.Client):
    """A client with cookies that fills in Django's forms, CSRF token included."""

    def __init__(self, base_url: str):
        super().__init__(base_url=base_url, trust_env=False, follow_redirects=False, timeout=20)

    def submit(self, path: str, **fields) -> httpx.Response:
        form = self.get(path)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)
        fields["csrfmiddlewaretoken"] = token.group(1) if token else self.cookies["csrftoken"]
        return self.post(path, data=fields)

    def log_in(self, name: str, password: str = PASSWORD) -> str:
        """The session's key. The form calls every login name `username`."""
        response = self.submit("/admin/login/?next=/admin/", username=name, password=password)
        assert response.status_code == 302, response.text
        return self.cookies["sessionid"]


@contextlib.contextmanager
def beside_django(directory: Path, engine: str, users: UserModel = DJANGOS, settings=None, django_env=None,
                  **variables):
    """Django migrated first, then the server started on the same database: (django, server)."""
    shared = database(engine, directory)
    django = Django(shared, users, **(settings or {}))
    django.env.update(django_env or {})
    django.manage("migrate", "-v0")
    shared.admit_server()
    server = Server(directory, **{"ALLOWED_ORIGINS": "127.0.0.1", "RECHECK_INTERVAL": 0.3, **shared.server_env,
                                  **users.variables, **variables})
    server.shared = shared
    try:
        django.serve()
        server.start()
        yield django, server
    finally:
        django.stop()
        server.finish()


def open_with_session(django, server, session: str, path: str = "/ws/notifications/"):
    return server.connect(path, cookie=f"sessionid={session}", origin=django.url)


def bearer(token: str) -> dict:
    return {"Authorization": f"Bearer {token}"}
