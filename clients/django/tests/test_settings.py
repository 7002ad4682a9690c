"""The setting HOLODRIVE and what the system checks say of it."""

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from holodrive.conf import config

GOOD = {"API_KEY": "k", "HANDLERS": "project.realtime.Handlers"}


def ids(holodrive, **more):
    with override_settings(HOLODRIVE=holodrive, **more):
        return [each.id for each in run_checks() if str(each.id).startswith("holodrive.")]


def test_the_defaults_need_a_key_only():
    assert ids({"API_KEY": "k"}) == [] and ids({}) == ["holodrive.W001"]


@pytest.mark.parametrize(("wrong", "id"), [
    ({"URI": "http://x"}, "E002"), ({"URL": "127.0.0.1:9000"}, "E003"), ({"URL": "http://"}, "E003"),
    ({"URL": "http://x:y"}, "E003"), ({"TIMEOUT": 0}, "E004"), ({"RETRIES": 1.5}, "E004"), ({"RETRIES": "2"}, "E004"),
    ({"HOOKS_TOLERANCE": -1}, "E004"), ({"WEBSOCKET_URL": "wss://rt.example.com"}, "E005"),
    ({"HANDLERS": "project.nothing.Handlers"}, "E006"), ({"HANDLERS": "project.models.ChatLine"}, "E007"),
    ({"HOOKS_SECRET": "short"}, "W002"),
])
def test_each_mistake_has_an_id(wrong, id):
    assert ids({**GOOD, **wrong}) == [f"holodrive.{id}"]


def test_it_must_be_a_dict():
    assert ids(["URL"]) == ["holodrive.E001"]


def test_sessions_must_be_in_the_database():
    assert ids(GOOD, SESSION_ENGINE="django.contrib.sessions.backends.cache") == ["holodrive.W003"]
    assert ids(GOOD, SESSION_ENGINE="django.contrib.sessions.backends.cached_db") == []


def test_settings_are_read_when_they_are_needed():
    with override_settings(HOLODRIVE={"URL": "https://rt.example.com:9000/"}):
        assert (config.url, config.websocket_url) == ("https://rt.example.com:9000", "rt.example.com:9000")
        with override_settings(HOLODRIVE={"WEBSOCKET_URL": "ws.example.com"}):
            assert config.websocket_url == "ws.example.com"
