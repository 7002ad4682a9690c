"""The same wish before `kill -9` and after the restart: the same answer, and one effect."""

import pytest

import db
from orders import accepted_order, act, open_driver_socket, order_body
from test_chat import direct, enter, say
from test_notifications import BODY, listen, notify


def restart(server):
    server.kill()
    server.start()


def count(server, statement: str, *parameters) -> int:
    return len(server.rows(statement, *parameters))


@pytest.fixture
def crashing(start_server):
    """A server of the test's own, since it is killed."""
    return start_server()


@pytest.fixture
def pair(crashing):
    """Two people in one conversation: (first, second, conversation id)."""
    first, second = crashing.user(), crashing.user()
    return first, second, direct(crashing, first, second)


# Chat

def test_a_message_with_a_client_id_over_the_socket(crashing, pair):
    first, second, conversation_id = pair
    socket = enter(first, conversation_id)
    say(socket, "once", client_id="c-1")
    answer = socket.expect("chat_message")
    restart(crashing)
    socket, other, bell = enter(first, conversation_id), enter(second, conversation_id), listen(second)
    say(socket, "once", client_id="c-1")
    assert socket.expect("chat_message") == answer
    assert other.so_far() == bell.so_far() == []
    assert count(crashing, db.MESSAGES, conversation_id) == count(crashing, db.NOTIFICATIONS, second.id) == 1


def test_a_message_with_a_client_id_over_http(crashing, pair):
    first, second, conversation_id = pair
    path, body = f"/api/conversations/{conversation_id}/messages/", {"message": "once", "client_id": "c-2"}
    answer = first.post(path, body)
    assert answer.status_code == 201, answer.text
    restart(crashing)
    other, bell = enter(second, conversation_id), listen(second)
    again = first.post(path, body)
    assert (again.status_code, again.json()) == (200, answer.json())
    assert other.so_far() == bell.so_far() == []
    assert count(crashing, db.MESSAGES, conversation_id) == count(crashing, db.NOTIFICATIONS, second.id) == 1


def test_a_message_that_was_read(crashing, pair):
    first, second, conversation_id = pair
    sender, reader = enter(first, conversation_id), enter(second, conversation_id)
    say(sender, "read me")
    message_id = reader.expect("chat_message")["message_id"]
    reader.send({"type": "read_message", "message_id": message_id})
    answer = reader.expect("message_read")
    stored = [tuple(row) for row in crashing.rows(db.READ_MESSAGES)]
    restart(crashing)
    sender, reader = enter(first, conversation_id), enter(second, conversation_id)
    reader.send({"type": "read_message", "message_id": message_id})
    assert reader.expect("message_read") == answer
    assert sender.so_far() == []
    assert [tuple(row) for row in crashing.rows(db.READ_MESSAGES)] == stored


# Notifications

def test_a_notification_that_was_marked_as_read(crashing):
    user = crashing.user()
    notification_id = notify(user)
    socket = listen(user)
    socket.send({"type": "mark_as_read", "notification_id": notification_id})
    answer = socket.expect("notification_read")
    over_http = user.post(f"/api/notifications/{notification_id}/read/")
    stored = [tuple(row) for row in crashing.rows(db.NOTIFICATIONS_READ_AT, user.id)]
    assert over_http.json()["status"] == "read" and stored[0][1] is not None
    restart(crashing)
    socket, other = listen(user), listen(user)
    socket.send({"type": "mark_as_read", "notification_id": notification_id})
    assert socket.expect("notification_read") == answer
    again = user.post(f"/api/notifications/{notification_id}/read/")
    assert (again.status_code, again.json()) == (over_http.status_code, over_http.json())
    assert other.so_far() == []
    assert [tuple(row) for row in crashing.rows(db.NOTIFICATIONS_READ_AT, user.id)] == stored


# Orders

def history(user, order_id: int) -> list[str]:
    return [event["type"] for event in user.get(f"/api/orders/{order_id}/events/").json()["results"]]


def test_an_order_that_was_accepted(crashing):
    """Over HTTP and over the socket, from the same connection or another one, before and after the restart."""
    rider, driver, socket, order = accepted_order(crashing)
    answer = act(driver, order["id"], "accept")
    socket.send({"type": "accept_order", "order_id": order["id"]})
    assert socket.expect("order_accepted")["order"] == answer.json()
    before = history(rider, order["id"])
    assert before.count("accepted") == 1
    restart(crashing)
    sockets, bell = [open_driver_socket(driver) for _ in range(2)], listen(rider)
    for each in sockets:
        assert each.expect("active_ride_snapshot")["order"]["id"] == order["id"]
    again = act(driver, order["id"], "accept")
    assert (again.status_code, again.json()) == (200, answer.json())
    sockets[0].send({"type": "accept_order", "order_id": order["id"]})
    assert sockets[0].expect("order_accepted")["order"] == answer.json()
    assert [each.so_far() for each in (*sockets, bell)] == [[], [], []]
    assert history(rider, order["id"]) == before
    assert count(crashing, db.NOTIFICATIONS_OF_TYPE, rider.id, "order_accepted") == 1
    assert count(crashing, db.CONVERSATIONS_OF_ORDER, order["id"]) == 1


def test_an_order_that_another_took_is_refused_in_the_same_way(crashing):
    rider, _, _, order = accepted_order(crashing)
    late = crashing.driver()
    answers = [act(late, order["id"], "accept")]
    restart(crashing)
    answers.append(act(late, order["id"], "accept"))
    assert [(answer.status_code, answer.json()) for answer in answers] == [(409, answers[0].json())] * 2
    assert history(rider, order["id"]).count("accepted") == 1


# Idempotency-Key

def test_whatever_has_a_key_is_done_once_and_answered_alike(crashing):
    """Also where the same request without the key would be done again, or be refused the second time."""
    rider, driver, socket, order = accepted_order(crashing)
    other = crashing.user()
    chat = f"/api/conversations/{direct(crashing, rider, other)}/messages/"
    notify(rider)
    requests = [
        # Out of the driver's reach, so that nothing comes of it by itself.
        (rider, "/api/orders/", order_body(latitude_from=10, longitude_from=10)),
        (rider, chat, {"message": "with a key, without a client_id"}),
        (rider, "/api/notifications/read-all/", {}),
        (crashing.staff(), "/api/notifications/", {"user_id": other.id, **BODY}),
        (driver, f"/api/driver/orders/{order['id']}/arrive/", {}),
        (driver, f"/api/driver/orders/{order['id']}/complete/", {}),
        (rider, f"/api/orders/{order['id']}/cancel/", {}),
    ]

    def answers() -> list[tuple]:
        responses = [user.post(path, body, headers={"Idempotency-Key": f"key-{number}"})
                     for number, (user, path, body) in enumerate(requests)]
        return [(response.status_code, response.json()) for response in responses]

    def effects() -> list[int]:
        return [count(crashing, statement) for statement in db.EFFECTS]

    first = answers()
    assert [status for status, _ in first] == [201, 201, 200, 201, 200, 409, 200]
    stored = effects()
    socket.until("order_cancelled_by_rider")
    restart(crashing)
    told = [open_driver_socket(driver), listen(rider), listen(other)]
    assert answers() == first
    assert effects() == stored
    assert [each.so_far() for each in told] == [[], [], []]
