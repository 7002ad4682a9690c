"""One real server and one real Django on one database, for all tests.

Nothing is rolled back: the server must see what Django writes, so each test makes users of its own.
"""

import itertools
import os
import shutil
import tempfile
from pathlib import Path

import beside_postgres
import django
import pytest
from live import DjangoServer, HoloDrive, free_port
from proxy import Proxy

FOLDER = Path(tempfile.mkdtemp(prefix="holodrive-django-"))
DATABASE = beside_postgres.create_database() if beside_postgres.is_wanted() else ""
HOOKS = "driver_orders,chat_access,chat_message,read_message"
HOOKS_TIMEOUT = 2
PASSWORD = "correct horse battery staple"
_numbers = itertools.count(1)


def pytest_configure():
    """The settings are read from the environment, so that comes before Django."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    os.environ["HOLODRIVE_URL"] = f"http://127.0.0.1:{free_port()}"
    os.environ["DATABASE_URL"] = f"sqlite://{FOLDER}/beside.db"
    if DATABASE:
        os.environ["DATABASE_URL"] = beside_postgres.url(DATABASE, beside_postgres.DJANGO)
    django.setup()


def pytest_unconfigure():
    shutil.rmtree(FOLDER, ignore_errors=True)


@pytest.fixture(scope="session")
def site():
    """Django's pages and hooks over HTTP."""
    from django.core.management import call_command

    call_command("migrate", run_syncdb=True, verbosity=0)
    if DATABASE:
        beside_postgres.let_in_the_server(DATABASE)
    with DjangoServer() as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def server(site):
    """The server, started with what `holodrive_check --env` makes of Django's settings. What the bell marks as read is its own."""
    role = {"DATABASE_URL": beside_postgres.url(DATABASE, beside_postgres.SERVER)} if DATABASE else {}
    running = HoloDrive(FOLDER / "server", **role)
    running.start(site.url, HOOKS=HOOKS)
    yield running
    running.stop()


@pytest.fixture
def make_user():
    """Makes users, whatever the user model: `make_user(staff=True)`."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Group

    def make(name=None, *, staff=False, groups=(), **fields):
        model = get_user_model()
        login = f"{name or f'user{next(_numbers)}'}@example.com"
        manager = model._default_manager
        user = manager.create_user(login, password=PASSWORD, is_staff=staff, is_superuser=staff, **fields)
        user.groups.add(*(Group.objects.get_or_create(name=group)[0] for group in groups))
        return user

    return make


@pytest.fixture
def user(make_user):
    return make_user()


@pytest.fixture(scope="module")
def proxy(server, site):
    """All hooks are on, and go through this proxy, for the tests of one module."""
    between = Proxy(site.url).start()
    server.restart(between.url, HOOKS_TIMEOUT=HOOKS_TIMEOUT, HOOKS_RETRIES=2)
    yield between
    between.heal()
    server.restart(site.url, HOOKS=HOOKS)
    between.stop()


@pytest.fixture
def received():
    """What the signals told, in order."""
    from holodrive import signals

    told = []
    names = ["user_connected", "user_disconnected", "message_received", "message_read", "notification_read"]
    receivers = []
    for name in names:
        receivers.append(lambda sender, signal, name=name, **what: told.append((name, what)))
        getattr(signals, name).connect(receivers[-1])
    yield told
    for name, receiver in zip(names, receivers, strict=True):
        getattr(signals, name).disconnect(receiver)


@pytest.fixture
def settings_of():
    """`settings.HOLODRIVE` with something else."""
    from django.conf import settings

    return lambda **changed: {**settings.HOLODRIVE, **changed}


@pytest.fixture
def members(make_user):
    """Two users."""
    return make_user(), make_user()


@pytest.fixture
def room(members):
    """A conversation of theirs."""
    import holodrive

    return holodrive.create_conversation(members).id
