"""The hooks over real HTTP, signed as docs/hooks.md says; the signature is written out here a second time."""

import hashlib
import hmac
import json
import threading
import time
import uuid
from urllib.error import HTTPError
from urllib.request import Request

import pytest
from django.conf import settings
from django.test import override_settings
from live import NO_PROXY
from project.models import ChatLine

import holodrive
from holodrive import signals
from holodrive.models import HookAnswer
from holodrive.signatures import sign

SECRET = settings.HOLODRIVE["HOOKS_SECRET"]


class Hooks:
    """Sends hooks as the server would."""

    def __init__(self, url):
        self.url = f"{url}/holodrive/hooks/"

    def send(self, hook, data=None, *, id=None, key=None, secret=SECRET, shift=0, timestamp=None, body=None,
             signature=None, path=None, method="POST"):
        id = id or str(uuid.uuid4())
        if body is None:
            sent_at = "2026-11-22T13:15:22.970153+00:00"
            body = json.dumps({"id": id, "hook": hook, "sent_at": sent_at, "data": data}).encode()
        timestamp = timestamp or str(int(time.time() + shift))
        mac = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        request = Request(f"{self.url}{path or hook}/", body, method=method, headers={
            "Content-Type": "application/json", "Idempotency-Key": key or id, "X-HoloDrive-Timestamp": timestamp,
            "X-HoloDrive-Signature": signature or f"v1={mac}",
        })
        try:
            with NO_PROXY.open(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except HTTPError as refused:
            return refused.code, json.loads(refused.read())


@pytest.fixture
def hooks(site):
    return Hooks(site.url)


def key(user):
    """A user's key as the server writes it."""
    return user.pk if isinstance(user.pk, int) else str(user.pk)


def message(user, text="salom", **more):
    return {"conversation_id": 3, "user_id": key(user), "sender_name": "Ali", "is_from_support": False,
            "message": text, "client_id": None, **more}


def lines(user):
    return [line.text for line in ChatLine.objects.filter(sender=str(user.pk))]


def test_driver_orders(hooks, user):
    status, body = hooks.send("driver_orders", {"driver_id": key(user)})
    assert status == 200 and body["orders"][0]["driver"] == user.get_username()


def test_chat_access_by_the_servers_own_rule(hooks, make_user):
    member, stranger, staff, gone = make_user(), make_user(), make_user(staff=True), make_user(is_active=False)
    conversation = holodrive.create_conversation([member, gone]).id
    people = [stranger, member, gone, staff]
    seats = [{"conversation_id": conversation, "user_id": key(person)} for person in people]
    unknown = 10**9 if isinstance(member.pk, int) else str(uuid.uuid4())
    seats.insert(1, {"conversation_id": conversation, "user_id": unknown})
    assert hooks.send("chat_access", {"seats": seats}) == (200, {"allowed": [False, False, True, False, True]})
    assert hooks.send("chat_access", {"seats": []}) == (200, {"allowed": []})


def test_chat_message_is_stored_and_told(hooks, user, received):
    status, body = hooks.send("chat_message", message(user, client_id="c-1"))
    line = ChatLine.objects.get(sender=str(user.pk))
    assert status == 200 and (body["message_id"], body["sender_name"]) == (line.pk, "ALI")
    assert body["created_at"].endswith("+00:00") and "message" not in body
    [(name, what)] = received
    assert (name, what["user"], what["message_id"], what["client_id"]) == ("message_received", user, line.pk, "c-1")


def test_the_same_id_is_answered_as_before_and_stores_nothing(hooks, user, received):
    id = str(uuid.uuid4())
    first = hooks.send("chat_message", message(user), id=id)
    assert hooks.send("chat_message", message(user), id=id, shift=1) == first
    assert lines(user) == ["salom"] and len(received) == 1


def test_the_same_id_at_the_same_moment_stores_once(hooks, user):
    id, answers = str(uuid.uuid4()), []
    threads = [threading.Thread(target=lambda: answers.append(hooks.send("chat_message", message(user), id=id)))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lines(user) == ["salom"] and answers == [answers[0]] * 4 and answers[0][0] == 200


def test_an_id_belongs_to_one_hook(hooks, user):
    id = str(uuid.uuid4())
    hooks.send("chat_message", message(user), id=id)
    data = {"conversation_id": 3, "user_id": key(user), "message_id": 1}
    assert hooks.send("read_message", data, id=id)[0] == 409


def test_a_refusal_stores_nothing_and_is_remembered(hooks, user, received):
    id = str(uuid.uuid4())
    refused = (403, {"code": "forbidden", "detail": "Not this word."})
    assert hooks.send("chat_message", message(user, "forbidden"), id=id) == refused
    assert hooks.send("chat_message", message(user, "forbidden"), id=id) == refused
    assert lines(user) == [] and received == []


def test_a_failure_stores_nothing_and_may_be_tried_again(hooks, user, received, caplog):
    id = str(uuid.uuid4())
    status, body = hooks.send("chat_message", message(user, "crash"), id=id)
    assert status == 500 and "boom" not in str(body) and "boom" in caplog.text
    assert lines(user) == [] and received == [] and not HookAnswer.objects.filter(pk=id).exists()
    assert hooks.send("chat_message", message(user, "well"), id=id)[0] == 200


def test_a_handler_that_returns_no_id_is_a_failure(hooks, user, monkeypatch):
    monkeypatch.setattr("project.realtime.Handlers.chat_message", lambda *_: None)
    assert hooks.send("chat_message", message(user))[0] == 500


def test_a_receiver_that_fails_changes_nothing(hooks, user):
    def failing(**_):
        raise RuntimeError("boom")

    signals.message_received.connect(failing)
    try:
        assert hooks.send("chat_message", message(user))[0] == 200
    finally:
        signals.message_received.disconnect(failing)
    assert lines(user) == ["salom"]


def test_a_handler_may_be_asynchronous(hooks, user, received):
    line = hooks.send("chat_message", message(user))[1]["message_id"]
    data = {"conversation_id": 3, "user_id": key(user), "message_id": line}
    assert hooks.send("read_message", data) == (200, {})
    assert received[-1][0] == "message_read"
    assert hooks.send("read_message", {**data, "message_id": 10**9})[1]["code"] == "not_found"


def test_djangos_ways_to_say_no_count(hooks, user):
    status, body = hooks.send("mark_as_read", {"notification_id": 1, "user_id": key(user)})
    assert (status, body) == (404, {"code": "not_found", "detail": "no such notification"})


def test_the_base_class_says_what_is_missing(hooks, user):
    with override_settings(HOLODRIVE={**settings.HOLODRIVE, "HANDLERS": "holodrive.hooks.Handlers"}):
        assert hooks.send("driver_orders", {"driver_id": key(user)}) == (200, {"orders": []})
        status, body = hooks.send("mark_as_read", {"notification_id": 1, "user_id": key(user)})
    assert (status, body["code"]) == (404, "not_implemented") and "mark_as_read" in body["detail"]


@pytest.mark.parametrize("hook", ["connected", "disconnected"])
def test_connections_come_and_go(hooks, user, received, hook):
    data = {"connection_id": "c1", "endpoint": "chat", "user_id": key(user), "object_id": 3,
            "at": "2026-11-22T13:15:22.970153+00:00"}
    assert hooks.send(hook, data) == (200, {})
    [(name, what)] = received
    assert (name, what["user"], what["connection"].object_id) == (f"user_{hook}", user, 3)
    assert what["connection"].at.microsecond == 970153
    assert hooks.send(hook, {**data, "object_id": None})[0] == 200


def test_an_offer_is_pushed(hooks, user, monkeypatch):
    pushed = []

    async def push(_, driver, offer):
        pushed.append((driver, offer))

    data = {"driver_id": key(user), "order": {"id": 7, "order_code": "ORD-000007"}, "offer_id": 9, "ttl_seconds": 17,
            "expires_at": "2026-11-22T13:15:22.970153+00:00", "attempt": 1}
    with override_settings(HOLODRIVE={**settings.HOLODRIVE, "HANDLERS": "holodrive.hooks.Handlers"}):
        assert hooks.send("push", data)[1]["code"] == "not_implemented"
    monkeypatch.setattr("project.realtime.Handlers.push", push)
    assert hooks.send("push", data) == (200, {})
    [(driver, offer)] = pushed
    assert (driver, offer.id, offer.order["id"], offer.ttl_seconds, offer.attempt) == (user, 9, 7, 17, 1)
    assert offer.expires_at.microsecond == 970153
    for wrong in ({"order": None}, {"ttl_seconds": "17"}, {"expires_at": "soon"}, {"offer_id": None}):
        assert hooks.send("push", {**data, **wrong})[1]["code"] == "invalid"
    monkeypatch.setattr("project.realtime.Handlers.push", lambda *_: 1 / 0)
    assert hooks.send("push", data)[0] == 500


def test_an_unknown_user(hooks, user):
    unknown = 10**9 if isinstance(user.pk, int) else str(uuid.uuid4())
    status, body = hooks.send("chat_message", {**message(user), "user_id": unknown})
    assert (status, body["code"]) == (404, "not_found")


@pytest.mark.parametrize("rubbish", [True, None, [], "x", 1.5, 2**64])
def test_a_key_that_is_none(hooks, user, rubbish):
    assert hooks.send("chat_message", {**message(user), "user_id": rubbish})[0] == 400
    assert hooks.send("chat_access", {"seats": [{"conversation_id": 1, "user_id": rubbish}]})[0] == 400


def test_an_inactive_user_is_refused(hooks, make_user):
    status, body = hooks.send("chat_message", message(make_user(is_active=False)))
    assert (status, body["code"]) == (403, "forbidden")


@pytest.mark.parametrize("wrong", [
    {"secret": "another"}, {"signature": "v1=00"}, {"signature": "v2=00"}, {"signature": "vö"}, {"shift": -301},
    {"shift": 302}, {"timestamp": "now"}, {"timestamp": "-5"}, {"timestamp": "9" * 30},
])
def test_who_is_not_the_server_is_refused(hooks, user, wrong):
    status, body = hooks.send("chat_message", message(user), **wrong)
    assert (status, body["code"]) == (401, "unauthorized") and lines(user) == []


def test_the_signature_is_the_servers():
    """The same vector stands in the server's own tests."""
    expected = "v1=ca397919245e3e2be2b1b71f25503244c6dc92b27ccfbccc8eb98891bac20ea6"
    assert sign("secret", "1763817322", b'{"id": "1"}') == expected


def test_holodrive_check_on_the_servers_side_tells_the_secrets_apart(hooks):
    assert hooks.send("holodrive_check", {})[0] == 404
    assert hooks.send("holodrive_check", {}, secret="another")[0] == 401


@pytest.mark.parametrize("shift", [-290, 290])
def test_clocks_may_be_off_a_little(hooks, user, shift):
    assert hooks.send("chat_message", message(user), shift=shift)[0] == 200


def test_the_window_is_a_setting(hooks, user):
    with override_settings(HOLODRIVE={**settings.HOLODRIVE, "HOOKS_TOLERANCE": 10}):
        assert hooks.send("chat_message", message(user), shift=-20)[0] == 401


@pytest.mark.parametrize("body", [
    b"", b"rubbish", b"\xff", b"[]", b"{}", b'{"id": "x", "hook": "chat_message", "data": []}', b"[" * 100_000,
    b'{"id": 5, "hook": "chat_message", "data": {}}', b'{"id": "x", "hook": "connected", "data": {}}',
    b'{"id": "x", "hook": "chat_message", "data": {}}',
    b'{"id": "x", "hook": "chat_message", "sent_at": "soon", "data": {}}',
])
def test_rubbish_is_refused_for_good(hooks, body):
    status, answer = hooks.send("chat_message", body=body, key="x")
    assert status == 400 and answer["code"] and answer["detail"]


def test_the_key_is_the_id(hooks, user):
    assert hooks.send("chat_message", message(user), key="other")[0] == 400


def test_an_unknown_hook_and_another_method(hooks):
    assert hooks.send("dance", {})[0] == 404
    assert hooks.send("connected", {}, method="PUT")[0] == 405


def test_without_a_secret_nobody_is_believed(hooks, user):
    without = {name: value for name, value in settings.HOLODRIVE.items() if name != "HOOKS_SECRET"}
    with override_settings(HOLODRIVE=without):
        assert hooks.send("chat_message", message(user), secret="")[0] == 503
