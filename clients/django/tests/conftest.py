"""One real server and one real Django on one database, for all tests.

Nothing is rolled back: the server must see what Django writes, so each test makes users of its own.
"""

import itertools
import os
import shutil
import tempfile
from pathlib import Path

import django
import pytest
from live import DjangoServer, HoloDrive, free_port

FOLDER = Path(tempfile.mkdtemp(prefix="holodrive-django-"))
PASSWORD = "correct horse battery staple"
_numbers = itertools.count(1)


def pytest_configure():
    """The settings are read from the environment, so that comes before Django."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    os.environ["HOLODRIVE_URL"] = f"http://127.0.0.1:{free_port()}"
    os.environ.setdefault("DATABASE_URL", f"sqlite://{FOLDER}/beside.db")
    django.setup()


def pytest_unconfigure():
    shutil.rmtree(FOLDER, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def server():
    """The server, started with what `holodrive_check --env` makes of Django's settings."""
    from django.core.management import call_command

    call_command("migrate", run_syncdb=True, verbosity=0)
    running = HoloDrive(FOLDER / "server").start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def site(server):
    """Django's pages over HTTP."""
    with DjangoServer() as running:
        yield running


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
