"""Two servers on one database: what one commits reaches the sockets of the other, even when it dies before it can tell."""

import dataclasses
import signal
import threading

import pytest
from websockets.exceptions import ConnectionClosed

import db
from holodrive import binary_with_failpoints, wait_until
from orders import FARTHER, NEAR, PICKUP, online_driver, open_driver_socket, place_order
from users import User

MESSAGES = 100


@pytest.fixture
def nodes(start_server):
    """Two servers on one database; the users of the first are known to the second."""
    first = start_server(MESSAGE_RATE=0)
    return first, second_node(start_server, first)


def second_node(start_server, first, **env):
    return start_server(database=first.database, MESSAGE_RATE=0, **env)


def at(server, user: User) -> User:
    """The same user, by way of another server."""
    return dataclasses.replace(user, server=server)


def conversation(server, *users) -> int:
    body = {"participant_ids": [user.id for user in users]}
    return server.with_key("POST", "/api/conversations/", json=body).json()["id"]


def chat(user, conversation_id: int):
    socket = user.connect(f"/ws/chat/{conversation_id}/")
    socket.expect("connection_established")
    return socket


def test_a_message_and_its_notification_reach_the_other_node(nodes):
    first, second = nodes
    alice, bob = first.user(), first.user()
    conversation_id = conversation(first, alice, bob)
    here, there = chat(alice, conversation_id), chat(at(second, bob), conversation_id)
    bell = at(second, bob).connect("/ws/notifications/")
    bell.expect("connection_established")
    here.send({"type": "chat_message", "message": "hello"})
    sent = here.expect("chat_message")
    assert there.expect("chat_message") == sent
    notification = bell.expect("notification")["notification"]
    assert notification["data"]["message_id"] == sent["message_id"]
    there.send({"type": "read_message", "message_id": sent["message_id"]})
    assert here.expect("message_read") == there.expect("message_read")
    bell.send({"type": "mark_as_read", "notification_id": notification["id"]})
    bell.expect("notification_read")


def test_writers_at_both_nodes_are_heard_in_one_order_everywhere(nodes):
    first, second = nodes
    alice, bob = first.user(), first.user()
    conversation_id = conversation(first, alice, bob)
    sockets = [chat(alice, conversation_id), chat(at(second, bob), conversation_id)]
    listeners = [chat(alice, conversation_id), chat(at(second, bob), conversation_id)]

    def write(socket, name: str):
        for number in range(MESSAGES):
            socket.send({"type": "chat_message", "message": f"{name}{number}"})

    writers = [threading.Thread(target=write, args=pair) for pair in zip(sockets, ("a", "b"))]
    for writer in writers:
        writer.start()
    heard = [[listener.expect("chat_message", timeout=30) for _ in range(2 * MESSAGES)] for listener in listeners]
    for writer in writers:
        writer.join()
    assert heard[0] == heard[1]
    ids = [message["message_id"] for message in heard[0]]
    assert ids == sorted(set(ids))


def test_an_order_made_at_one_node_finds_its_driver_at_the_other(nodes):
    first, second = nodes
    rider = first.user()
    driver = at(second, first.driver())
    driver.move_to(*PICKUP)
    socket = driver.connect("/ws/driver/orders/")
    socket.expect("connection_established")
    socket.expect("initial_orders")
    trip = rider.connect("/ws/rider/orders/")
    trip.expect("connection_established")
    order = place_order(rider)
    assert socket.until("new_order")["order"]["id"] == order["id"]
    socket.send({"type": "accept_order", "order_id": order["id"]})
    assert socket.until("order_accepted")["order"]["id"] == order["id"]
    while trip.until("rider_order_updated")["order"]["status"] != "accepted":
        pass
    cancelled = rider.post(f"/api/orders/{order['id']}/cancel/")
    assert cancelled.status_code == 200, cancelled.text
    socket.until("order_cancelled_by_rider")


def test_the_nearest_driver_is_asked_though_his_socket_is_at_the_other_node(nodes):
    first, second = nodes
    _, farther = online_driver(first, at=FARTHER)
    nearest = at(second, first.driver())
    nearest.set_status("online")
    socket = open_driver_socket(nearest)
    socket.send({"type": "location", "latitude": NEAR[0], "longitude": NEAR[1]})
    wait_until(lambda: first.rows(db.POSITION, nearest.id) != [(None,)], "the position is stored")
    order = place_order(first.user())
    assert socket.until("new_order")["order"]["id"] == order["id"]
    assert "new_order" not in farther.kinds_so_far()
    socket.send({"type": "accept_order", "order_id": order["id"]})
    socket.until("order_accepted")
    events = first.staff().get(f"/api/orders/{order['id']}/events/").json()["results"]
    assert [event["driver_id"] for event in events if event["type"] == "offered"] == [nearest.id]


def test_what_a_node_committed_is_told_although_it_died_before_it_could(start_server):
    first = start_server(MESSAGE_RATE=0)
    dying = second_node(start_server, first)
    alice, bob = first.user(), first.user()
    conversation_id = conversation(first, alice, bob)
    dying.kill()
    dying.program = binary_with_failpoints()
    dying.env["HOLODRIVE_FAILPOINT"] = "writer.after_commit:25"
    dying.start()
    listener = chat(bob, conversation_id)
    bell = bob.connect("/ws/notifications/")
    bell.expect("connection_established")
    writer = chat(at(dying, alice), conversation_id)
    sent = 0
    with pytest.raises(ConnectionClosed):
        while True:
            sent += 1
            writer.send({"type": "chat_message", "message": f"m{sent}"})
            writer.receive()
    dying.process.wait(timeout=10)
    assert dying.process.returncode == -signal.SIGABRT, dying.logs()
    stored = [tuple(row) for row in first.rows(db.MESSAGES, conversation_id)]
    heard = [listener.expect("chat_message") for _ in stored]
    assert [(message["message_id"], message["message"]) for message in heard] == stored
    # The commit after which it died may have been another one than that of the last message.
    assert len(stored) in (sent, sent - 1)
    notified = [bell.expect("notification")["notification"]["data"]["message_id"] for _ in stored]
    assert notified == [number for number, _ in stored]
    assert listener.so_far() == [] and bell.so_far() == []


def test_rows_for_other_nodes_do_not_pile_up(nodes):
    first, second = nodes
    user = first.user()
    assert first.notify(user_id=user.id, title="T", message="M", notification_type="t").status_code == 201
    assert first.rows(db.OUTBOX)
    # Each node shows every ten seconds how far it is.
    wait_until(lambda: not first.rows(db.OUTBOX), "the rows are forgotten", seconds=40)
    assert second.terminate() == 0
    assert len(first.rows(db.NODES)) == 1
