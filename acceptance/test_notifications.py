"""`/ws/notifications/` and what feeds it."""

import re

import pytest

from holodrive import wait_until
from orders import ISO_WITH_OFFSET
from sockets import PING, PONG, WAIT, RawSocket

BODY = {
    "title": "New message from Sobirjon Bobojonov", "message": "New message in conversation: ashjkdbasljkdhgbasd...",
    "notification_type": "chat_message", "related_object_type": "conversation", "related_object_id": 1,
    "data": {"conversation_id": 1, "message_id": 38},
}


def notify(user, title="Hello") -> int:
    response = user.server.notify(user_id=user.id, **{**BODY, "title": title})
    assert response.status_code == 201, response.text
    return user.get("/api/notifications/").json()["results"][0]["id"]


def listen(user, query=""):
    socket = user.connect(f"/ws/notifications/{query}")
    socket.expect("connection_established")
    return socket


def test_established_is_first_and_carries_the_user_id_as_text(server):
    user = server.user()
    established = user.connect("/ws/notifications/").receive()
    assert established == {
        "type": "connection_established", "message": "Connected to notifications", "user_id": str(user.id),
    }


def test_notification_has_the_shape_of_the_document(server):
    user = server.user()
    socket = listen(user)
    assert server.notify(user_id=user.id, **BODY).status_code == 201
    message = socket.expect("notification")
    notification = message["notification"]
    assert {name: notification[name] for name in BODY} == BODY
    assert type(notification["id"]) is int
    assert notification["status"] == "unread"
    assert ISO_WITH_OFFSET.match(notification["created_at"])
    assert set(notification) >= set(BODY) | {"id", "created_at", "status"}


def test_optional_fields_may_be_left_out(server):
    user = server.user()
    socket = listen(user)
    response = server.notify(user_id=user.id, title="T", message="M", notification_type="info")
    assert response.status_code == 201, response.text
    notification = socket.expect("notification")["notification"]
    assert notification["related_object_type"] is None
    assert notification["related_object_id"] is None


def test_every_connection_gets_each_notification_once(server):
    user, other = server.user(), server.user()
    sockets = [listen(user) for _ in range(3)]
    stranger = listen(other)
    for number in range(5):
        notify(user, f"number {number}")
    for socket in sockets:
        titles = [socket.expect("notification")["notification"]["title"] for _ in range(5)]
        assert titles == [f"number {number}" for number in range(5)]
        assert socket.so_far() == []
    assert stranger.so_far() == []


def test_a_notification_is_stored_before_it_is_sent(server):
    user = server.user()
    socket = listen(user)
    notify(user)
    pushed = socket.expect("notification")["notification"]
    assert pushed in user.get("/api/notifications/").json()["results"]


def test_groups_and_lists_of_users(server):
    first, second, outsider = server.user(groups=["Tester"]), server.user(groups=["Tester"]), server.user()
    sockets = {user.id: listen(user) for user in (first, second, outsider)}
    assert server.notify(group="Tester", **BODY).status_code == 201
    assert server.notify(user_ids=[first.id, outsider.id], **BODY).status_code == 201
    counts = {first.id: 2, second.id: 1, outsider.id: 1}
    for user_id, count in counts.items():
        for _ in range(count):
            sockets[user_id].expect("notification")
        assert sockets[user_id].so_far() == []


def test_mark_as_read_is_stored_and_told_to_all_connections(server):
    user = server.user()
    sockets = [listen(user), listen(user)]
    notification_id = notify(user)
    for socket in sockets:
        socket.expect("notification")
    sockets[0].send({"type": "mark_as_read", "notification_id": notification_id})
    for socket in sockets:
        assert socket.expect("notification_read") == {
            "type": "notification_read", "notification_id": notification_id,
        }
    stored = user.get("/api/notifications/").json()["results"][0]
    assert (stored["id"], stored["status"]) == (notification_id, "read")
    assert user.get("/api/notifications/?status=unread").json()["results"] == []


def test_marking_twice_is_harmless(server):
    user = server.user()
    notification_id = notify(user)
    socket = listen(user)
    for _ in range(2):
        socket.send({"type": "mark_as_read", "notification_id": notification_id})
    socket.until("notification_read")
    assert "error" not in socket.kinds_so_far()


@pytest.mark.parametrize("notification_id", ["another's", 0, -1, 2**62])
def test_what_is_not_ones_own_is_not_found(server, notification_id):
    owner, thief = server.user(), server.user()
    others_id = notify(owner)
    socket = listen(thief)
    wanted = others_id if notification_id == "another's" else notification_id
    socket.send({"type": "mark_as_read", "notification_id": wanted})
    assert socket.expect("error")["code"] == "not_found"
    assert socket.so_far() == []
    assert owner.get("/api/notifications/").json()["results"][0]["status"] == "unread"


def test_reading_over_http_is_told_to_the_sockets(server):
    user = server.user()
    socket = listen(user)
    notification_id = notify(user)
    socket.expect("notification")
    assert user.post(f"/api/notifications/{notification_id}/read/").is_success
    assert socket.expect("notification_read")["notification_id"] == notification_id


def test_since_replays_what_was_missed_then_goes_live(server):
    user = server.user()
    ids = [notify(user, f"number {number}") for number in range(6)]
    socket = listen(user, f"?since={ids[1]}")
    replayed = [socket.expect("notification")["notification"]["id"] for _ in range(4)]
    assert replayed == ids[2:]
    assert socket.expect("resumed") == {"type": "resumed", "count": 4}
    live = notify(user, "live")
    assert socket.expect("notification")["notification"]["id"] == live
    assert socket.so_far() == []


def test_since_the_last_resumes_with_nothing(server):
    user = server.user()
    last = notify(user)
    socket = listen(user, f"?since={last}")
    assert socket.expect("resumed") == {"type": "resumed", "count": 0}


def test_since_zero_replays_everything_in_order(server):
    user = server.user()
    ids = [notify(user) for _ in range(3)]
    socket = listen(user, "?since=0")
    messages = socket.collect_until("resumed")
    assert [message["notification"]["id"] for message in messages[:-1]] == ids
    assert messages[-1]["count"] == 3


def test_without_since_nothing_is_replayed(server):
    user = server.user()
    notify(user)
    assert listen(user).so_far() == []


def test_resuming_under_load_misses_nothing_and_repeats_nothing(server):
    user = server.user()
    seen, last = [], 0
    for batch in range(10):
        socket = listen(user, f"?since={last}")
        for number in range(4):
            server.notify(user_id=user.id, **{**BODY, "title": f"{batch}-{number}"})
        wanted = 4 * (batch + 1)
        while len(seen) < wanted:
            message = socket.receive(WAIT)
            if message["type"] == "notification":
                seen.append(message["notification"]["title"])
                last = message["notification"]["id"]
            if len(seen) == wanted - 2:
                break
        socket.close()
    socket = listen(user, f"?since={last}")
    for message in socket.collect_until("resumed")[:-1]:
        seen.append(message["notification"]["title"])
    assert seen == [f"{batch}-{number}" for batch in range(10) for number in range(4)]


@pytest.mark.parametrize("since", ["abc", "-1", "1.5", "9" * 30])
def test_a_since_that_is_no_id_breaks_nothing(server, since):
    user = server.user()
    notify(user)
    socket = user.connect(f"/ws/notifications/?since={since}")
    first = socket.receive()
    assert first["type"] in ("connection_established", "error"), first
    other = listen(user)
    assert other.so_far() == []


def test_ping_is_answered(server):
    socket = listen(server.user())
    socket.send({"type": "ping"})
    assert socket.receive() == {"type": "pong"}


def test_data_comes_back_as_it_was_given(server):
    user = server.user()
    socket = listen(user)
    data = {"nested": {"list": [1, 2.5, None, True, "ўзбек \U0001f697"]}, "big": 2**53}
    assert server.notify(user_id=user.id, **{**BODY, "data": data}).status_code == 201
    assert socket.expect("notification")["notification"]["data"] == data


def test_offsets_are_utc_and_written_as_django_does(server):
    user = server.user()
    notify(user)
    created_at = user.get("/api/notifications/").json()["results"][0]["created_at"]
    assert re.search(r"\+00:00$", created_at)


# The delivery ledger


def delivery_types(user, notification_id) -> list[str]:
    response = user.server.staff().get(f"/api/notifications/{notification_id}/deliveries/")
    assert response.status_code == 200, response.text
    answer = response.json()
    assert set(answer) == {"results", "next"} and answer["next"] is None
    moments = [step["at"] for step in answer["results"]]
    assert all(ISO_WITH_OFFSET.match(at) for at in moments) and moments == sorted(moments)
    return [step["type"] for step in answer["results"]]


def wait_for_deliveries(user, notification_id, *types):
    wait_until(lambda: delivery_types(user, notification_id) == list(types), f"deliveries {types}")


def test_the_ledger_follows_a_notification_to_the_device_and_to_the_reader(server):
    user = server.user()
    notification_id = notify(user)
    assert delivery_types(user, notification_id) == ["stored"]
    socket = listen(user, "?since=0")
    socket.expect("notification")
    wait_for_deliveries(user, notification_id, "stored", "written", "confirmed")
    socket.send({"type": "mark_as_read", "notification_id": notification_id})
    socket.until("notification_read")
    assert delivery_types(user, notification_id) == ["stored", "written", "confirmed", "read"]


def test_a_device_that_confirms_nothing_was_only_written_to(server):
    user = server.user()
    with RawSocket(server, f"/ws/notifications/?token={user.token}") as silent:
        silent.until("connection_established")
        notification_id = notify(user)
        assert silent.until("notification")["notification"]["id"] == notification_id
        assert silent.receive_frame()[0] == PING
    wait_for_deliveries(user, notification_id, "stored", "written")
    with RawSocket(server, f"/ws/notifications/?since=0&token={user.token}") as device:
        device.until("notification")
        opcode, payload = device.receive_frame()
        assert opcode == PING
        device.send_frame(PONG, payload)
        wait_for_deliveries(user, notification_id, "stored", "written", "confirmed")


def test_many_notifications_are_all_confirmed(server):
    user = server.user()
    socket = listen(user)
    for number in range(30):
        server.notify(user_id=user.id, **{**BODY, "title": f"number {number}"})
    ids = [socket.expect("notification")["notification"]["id"] for _ in range(30)]
    for notification_id in ids:
        wait_for_deliveries(user, notification_id, "stored", "written", "confirmed")


def test_the_ledger_is_for_staff_and_knows_no_other_ids(server):
    user = server.user()
    notification_id = notify(user)
    assert user.get(f"/api/notifications/{notification_id}/deliveries/").status_code == 403
    assert server.http.get(f"/api/notifications/{notification_id}/deliveries/").status_code == 401
    assert server.with_key("GET", f"/api/notifications/{notification_id}/deliveries/").status_code == 200
    for unknown in (0, 2**62):
        assert server.staff().get(f"/api/notifications/{unknown}/deliveries/").status_code == 404
