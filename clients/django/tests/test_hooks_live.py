"""The hooks from a client's socket through the real server to this Django, and back."""

import json
import time
import types
from urllib.error import HTTPError
from urllib.request import Request

import pytest
from django.test import override_settings
from live import NO_PROXY, wait_until
from project.models import Ban, ChatLine, Reading
from sockets import Socket, in_room
from test_hooks import SECRET, key, lines

import holodrive
from holodrive.models import HookAnswer

pytestmark = pytest.mark.usefixtures("proxy")


def test_a_driver_is_shown_djangos_orders_before_the_servers_own(server, make_user):
    driver = make_user(groups=["Driver"])
    with Socket(server, "driver/orders", driver) as socket:
        [order] = socket.until("initial_orders")["orders"]
    assert (order["order_code"], order["driver"]) == ("ORD-000007", driver.get_username())


def test_django_says_who_may_be_in_a_conversation(server, members, room, make_user):
    with Socket(server, f"chat/{room}", make_user()) as stranger:
        assert stranger.code() == 4403
    with in_room(server, room, members) as (first, second):
        Ban.objects.create(conversation_id=room, user=str(members[0].pk))
        assert first.code() == 4403
        second.send("chat_message", message="alone")
        assert second.until("chat_message")["message"] == "alone"
    with Socket(server, f"chat/{room}", members[0]) as banned:
        assert banned.code() == 4403


def test_a_message_is_stored_by_django_and_told_with_its_id(server, members, room):
    with in_room(server, room, members) as (first, second):
        first.send("chat_message", message="salom", client_id="c-1")
        told = [socket.until("chat_message") for socket in (first, second)]
        line = ChatLine.objects.get(conversation_id=room)
        assert told[0] == told[1] and (told[0]["message_id"], told[0]["message"]) == (line.pk, "salom")
        assert told[0]["sender_name"].isupper() and told[0]["sender_id"] == key(members[0])
        second.send("read_message", message_id=line.pk)
        read = [socket.until("message_read") for socket in (first, second)]
        assert [(each["message_id"], each["read_by"]) for each in read] == [(line.pk, key(members[1]))] * 2
        assert Reading.objects.filter(what="message", key=line.pk, reader=str(members[1].pk)).count() == 1


def test_a_refusal_reaches_the_sender_alone(server, members, room):
    with in_room(server, room, members) as (first, second):
        first.send("chat_message", message="forbidden")
        refused = first.until("error")
        assert (refused["code"], refused["message"]) == ("forbidden", "Not this word.")
        first.send("read_message", message_id=10**9)
        assert first.until("error")["code"] == "not_found"
        first.send("chat_message", message="well")
        assert second.until("chat_message")["message"] == "well" and lines(members[0]) == ["well"]


def test_a_client_id_that_is_sent_again_is_told_to_the_sender_alone(server, members, room):
    with in_room(server, room, members) as (first, second):
        first.send("chat_message", message="once", client_id="c")
        told = first.until("chat_message")
        first.send("chat_message", message="once", client_id="c")
        assert first.until("chat_message") == told and lines(members[0]) == ["once"]
        second.until("chat_message")
        assert second.so_far() == []


def test_what_was_read_is_told_to_all_sockets_of_the_user(server, user, make_user):
    [notification] = holodrive.notify(user, title="t", message="m")
    one, two = (Socket.let_in(server, "notifications", user) for _ in range(2))
    with one, two:
        one.send("mark_as_read", notification_id=notification)
        assert [socket.until("notification_read")["notification_id"] for socket in (one, two)] == [notification] * 2
        assert Reading.objects.filter(what="notification", key=notification, reader=str(user.pk)).count() == 1
        with Socket(server, "notifications", make_user()) as other:
            other.send("mark_as_read", notification_id=notification)
            assert other.until("error")["code"] == "not_found"
        assert two.so_far() == []


def test_who_comes_and_goes_is_told_in_order(server, user, received):
    for _ in range(3):
        Socket.let_in(server, "notifications", user).connection.close()

    def visits():
        return [(name, what["connection"]) for name, what in received if what["user"] == user]

    wait_until(lambda: len(visits()) == 6, "three came and went")
    ids = [connection.id for _, connection in visits()]
    assert len(set(ids)) == 3
    for id in set(ids):
        told = [(name, connection) for name, connection in visits() if connection.id == id]
        assert [name for name, _ in told] == ["user_connected", "user_disconnected"]
        assert told[0][1].at <= told[1][1].at and told[0][1].endpoint == "notifications"


def test_an_order_of_signals_follows_what_happened(server, members, room, received):
    with Socket.let_in(server, f"chat/{room}", members[0]) as socket:
        for number in range(5):
            socket.send("chat_message", message=str(number))
            socket.until("chat_message")
    told = [what["message"] for name, what in received if name == "message_received" and what["user"] == members[0]]
    assert told == list("01234")
    wait_until(lambda: [what for name, what in received if name == "user_disconnected" and what["user"] == members[0]],
               "he left")


def replayed(site, exchange, **changed):
    """The status that a recorded request of the server gets when somebody sends it again."""
    request = Request(f"{site.url}{exchange.path}", exchange.body, {**exchange.headers, **changed})
    try:
        with NO_PROXY.open(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as refused:
        return refused.code, json.loads(refused.read())


def test_a_request_that_somebody_recorded_is_worth_nothing(server, site, proxy, members, room, monkeypatch):
    with Socket.let_in(server, f"chat/{room}", members[0]) as socket:
        socket.send("chat_message", message="recorded")
        told = socket.until("chat_message")
    recorded = proxy.asked("chat_message")[-1]
    assert replayed(site, recorded)[1]["message_id"] == told["message_id"]
    now = str(int(time.time()) + 1)
    assert replayed(site, recorded, **{"x-holodrive-timestamp": now})[0] == 401
    # After a day the note is forgotten; what is left is the window.
    HookAnswer.objects.filter(pk=recorded.headers["idempotency-key"]).delete()
    later = types.SimpleNamespace(time=lambda: time.time() + 302)
    monkeypatch.setattr("holodrive.signatures.time", later)
    assert replayed(site, recorded)[0] == 401 and lines(members[0]) == ["recorded"]


def test_another_secret_is_refused_and_the_server_can_tell(server, members, room, settings_of):
    with Socket.let_in(server, f"chat/{room}", members[0]) as socket:
        with override_settings(HOLODRIVE=settings_of(HOOKS_SECRET=SECRET[::-1])):
            socket.send("chat_message", message="unheard", client_id="u")
            assert socket.until("error")["code"] == "unavailable"
            check = server.command("check")
            assert check.returncode != 0 and "HOOKS_SECRET differs" in check.stdout + check.stderr, check
        assert lines(members[0]) == []
        socket.send("chat_message", message="unheard", client_id="u")
        assert socket.until("chat_message")["message"] == "unheard"
    check = server.command("check")
    assert "the back end answers" in check.stdout and "HOOKS_SECRET" not in check.stdout, check
