"""Chromium logs in through Django's own login view; the page it gets there opens a socket of ours with Django's cookie."""

import contextlib
import json

import pytest

from channels_project import layer_settings
from django_site import CREW, DJANGOS, MEMBERS, PASSWORD, QUICK_PASSWORDS, Django, beside_django
from redis_server import RedisServer
from users import API_KEY

MODELS = [DJANGOS, MEMBERS, CREW]


class Api:
    """Django's code tells us over HTTP, as a trusted back end."""

    variables = {}
    django_env = {}

    def push(self, django, server, user, title: str):
        body = {"user_id": user, "title": title, "message": "M", "notification_type": "t"}
        status = django.run(
            "import json\nfrom urllib.request import Request, urlopen\n"
            f"body = json.dumps({body!r}).encode()\n"
            f"request = Request('{server.url}/api/notifications/', body, {{'Content-Type': 'application/json',"
            f" 'Authorization': 'Api-Key {API_KEY}'}})\n"
            "print(urlopen(request).status)")
        assert status == "201"


class Layer:
    """Django's code sends to the user's group, and knows nothing of us."""

    def __init__(self, backend: str, redis: RedisServer):
        self.variables = {"CHANNEL_LAYER_URL": redis.url, "CHANNEL_LAYER_BACKEND": backend}
        self.django_env = {"CHANNEL_LAYER": layer_settings(backend, [redis])}

    def push(self, django, server, user, title: str):
        event = {"type": "notification", "notification": {"id": 1, "title": title}}
        django.run(
            "from asgiref.sync import async_to_sync\nfrom channels.layers import get_channel_layer\n"
            f"async_to_sync(get_channel_layer().group_send)('notifications_{user}', {event!r})")


@contextlib.contextmanager
def api():
    yield Api()


@contextlib.contextmanager
def layer(backend: str):
    redis = RedisServer().start()
    try:
        yield Layer(backend, redis)
    finally:
        redis.finish()


# Ways in which what Django says reaches the socket.
WAYS = {"api": api, "pubsub": lambda: layer("pubsub"), "core": lambda: layer("core")}


def received(page, count: int) -> list:
    page.wait_for(f"window.received.length >= {count}")
    return json.loads(page.evaluate("JSON.stringify(window.received)"))


def log_in(page, django: Django, server, name: str):
    """Django asks whoever has no session for his name first, and sends him on afterwards."""
    page.visit(f"{django.url}/live/?server={server.authority}")
    assert page.evaluate("location.pathname") == "/admin/login/"
    page.evaluate(
        f"document.querySelector('[name=username]').value = {name!r};"
        f"document.querySelector('[name=password]').value = {PASSWORD!r};"
        "document.querySelector('[type=submit]').click()")
    page.wait_for("location.pathname === '/live/' && window.received !== undefined")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("users", MODELS, ids=lambda users: users.name)
def test_from_djangos_login_to_djangos_logout(tmp_path, chromium, users, way):
    with WAYS[way]() as pushed, beside_django(
        tmp_path, "postgres", users, QUICK_PASSWORDS, django_env=pushed.django_env, **pushed.variables,
    ) as (django, server):
        user = django.create_user("admin1", staff=True)
        page = chromium.page()
        page.command("Network.clearBrowserCookies")
        log_in(page, django, server, users.login_name("admin1"))
        assert received(page, 1) == [
            {"type": "connection_established", "message": "Connected to notifications", "user_id": str(user)}]
        pushed.push(django, server, user, "Salom")
        message = received(page, 2)[1]
        assert (message["type"], message["notification"]["title"]) == ("notification", "Salom")
        assert page.evaluate("window.closeCode") is None
        page.evaluate("document.querySelector('button').click()")
        page.wait_for("window.loggedOut")
        page.wait_for("window.closeCode !== null")
        assert page.evaluate("window.closeCode") == 4401
        last = received(page, 3)[2]
        assert (last["type"], last["code"]) == ("error", "unauthorized")
        page.visit(f"{django.url}/live/?server={server.authority}")
        assert page.evaluate("location.pathname") == "/admin/login/", "Django, too, knows him no more"
        page.close()
