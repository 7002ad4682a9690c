"""`kill -9` in the middle of the demo, twice: what was acknowledged is there, and dispatch goes on."""

import threading
import time

import httpx
from websockets.exceptions import ConnectionClosed

import db
from holodrive import wait_until
from orders import FARTHER, PICKUP, act, get_order, online_driver, order_body, order_status, place_order

# Far from the demo's fleet and from each other, so that only the test's own drivers can be asked.
ROUNDS = {"first": (10.0, 10.0), "second": (-10.0, -10.0)}
OFFER_SECONDS = 2


class Client:
    """Keeps asking until the server is gone, and remembers every acknowledgement."""

    def __init__(self, work):
        self.acknowledged = set()
        self.thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self.thread.start()

    def _run(self, work):
        number = 0
        try:
            while True:
                work(number, self.acknowledged)
                number += 1
        except (httpx.TransportError, ConnectionClosed, TimeoutError):
            return

    def join(self):
        self.thread.join(timeout=30)
        assert not self.thread.is_alive()


def orders(rider):
    def work(_, acknowledged):
        response = rider.post("/api/orders/", order_body())
        assert response.status_code == 201, response.text
        acknowledged.add(response.json()["id"])
    return work


def messages(user, label: str):
    conversation = user.post("/api/conversations/", {"kind": "support"}).json()["id"]
    socket = user.connect(f"/ws/chat/{conversation}/")
    socket.expect("connection_established")

    def work(number, acknowledged):
        text = f"{label}-{number}"
        socket.send({"type": "chat_message", "message": text, "client_id": text})
        echo = socket.until("chat_message", timeout=20)
        acknowledged.add((echo["message_id"], text))
    return work


def notifications(server, user, label: str):
    def work(number, acknowledged):
        title = f"{label}-{number}"
        response = server.notify(user_id=user.id, title=title, message="M", notification_type="t")
        assert response.status_code == 201, response.text
        acknowledged.add(title)
    return work


def trips(server):
    """A driver of our own who takes whatever he is offered, and drives it to the end."""
    driver, socket = online_driver(server, at=PICKUP)

    def work(_, acknowledged):
        order = socket.until("new_order", timeout=30)["order"]
        if act(driver, order["id"], "accept").status_code != 200:
            return
        acknowledged.add((order["id"], driver.id))
        for action in ("arrive", "start", "complete"):
            act(driver, order["id"], action)
    return work


def run_until_killed(server, round_name: str):
    """Works through every door until there is enough to lose, leaves one offer live, and pulls the plug."""
    rider, writer, reader = server.user(), server.user(), server.user()
    clients = {
        "orders": Client(orders(rider)),
        "messages": Client(messages(writer, round_name)),
        "notifications": Client(notifications(server, reader, round_name)),
        "trips": Client(trips(server)),
    }
    wait_until(lambda: all(len(clients[name].acknowledged) >= 40 for name in ("orders", "messages", "notifications"))
               and clients["trips"].acknowledged, "enough acknowledgements", seconds=60)
    place = ROUNDS[round_name]
    _, silent = online_driver(server, at=place)
    waiting = place_order(server.user(), latitude_from=place[0], longitude_from=place[1])
    silent.until("new_order")
    server.kill()
    for client in clients.values():
        client.join()
    return rider, reader, {name: client.acknowledged for name, client in clients.items()}, waiting["id"]


def assert_nothing_lost(server, reader, acknowledged):
    db.assert_consistent(server.database)
    assert acknowledged["orders"] <= {row[0] for row in server.rows(db.ORDER_IDS)}
    assert acknowledged["messages"] <= {tuple(row) for row in server.rows(db.MESSAGE_TEXTS)}
    titles = [row[0] for row in server.rows(db.NOTIFICATION_TITLES, reader.id)]
    assert acknowledged["notifications"] <= set(titles)
    assert len(titles) == len(set(titles)), "a notification was stored twice"
    for order_id, driver_id in acknowledged["trips"]:
        assert server.rows(db.DRIVER_OF_ORDER, order_id)[0][0] == driver_id


def microseconds() -> int:
    return time.time_ns() // 1000


def test_kill_in_the_middle_of_the_demo_twice(start_server):
    server = start_server(arguments=("serve", "--demo"), ORDER_OFFER_TIMEOUT=OFFER_SECONDS, MESSAGE_RATE=0)
    rounds = []
    for name, place in ROUNDS.items():
        rider, reader, acknowledged, waiting = run_until_killed(server, name)
        rounds.append((reader, acknowledged))
        for earlier in rounds:
            assert_nothing_lost(server, *earlier)
        wait_until(lambda: server.rows(db.LIVE_OVERDUE, microseconds()), "an offer is overdue while nobody serves")
        server.start()
        staff = server.staff()
        wait_until(lambda: order_status(staff, waiting) == "searching", "the overdue offer has ended", seconds=2)
        wait_until(lambda: not server.rows(db.LIVE_OVERDUE, microseconds() - 1_000_000), "no offer is overdue", 2)
        for earlier in rounds:
            assert_nothing_lost(server, *earlier)
        events = staff.get(f"/api/orders/{waiting}/events/").json()["results"]
        assert len(events) >= 3
        _, fresh = online_driver(server, at=place)
        assert fresh.until("new_order")["order"]["id"] == waiting
        assert get_order(staff, waiting)["status"] == "pending"


def test_kill_while_an_order_is_accepted(start_server):
    """Whoever asks for the same order at the same moment as the plug is pulled: one driver, or none."""
    server = start_server()
    for _ in range(3):
        rider = server.user()
        driver, socket = online_driver(server, at=FARTHER)
        order = place_order(rider)
        socket.until("new_order")
        socket.send({"type": "accept_order", "order_id": order["id"]})
        server.kill()
        try:
            told = any(message["type"] == "order_accepted" for message in socket.rest()[0])
        except (ConnectionError, OSError):
            told = False
        db.assert_consistent(server.database)
        stored = server.rows(db.DRIVER_OF_ORDER, order["id"])[0][0]
        assert stored in ((driver.id,) if told else (driver.id, None))
        server.start()
        socket = driver.connect("/ws/driver/orders/")
        seen = socket.so_far()
        if stored == driver.id:
            assert seen[-1]["type"] == "active_ride_snapshot"
            for action in ("arrive", "start", "complete"):
                assert act(driver, order["id"], action).status_code == 200
        else:
            assert any(each["id"] == order["id"] for each in seen[1]["orders"])
            assert act(driver, order["id"], "accept").status_code == 200
        driver.set_status("offline")
