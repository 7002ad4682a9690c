"""A driver who reconnects a hundred times under load sees every offer once, and misses none."""

import threading
from datetime import datetime

import httpx

import db
from holodrive import wait_until
from orders import NEAR, order_body
from test_crash import microseconds

ROUNDS = 100


def key(order: dict) -> tuple[int, int]:
    """Tells one offer of an order from the next: (order, deadline in microseconds)."""
    moment = datetime.fromisoformat(order["expires_at"].replace("Z", "+00:00"))
    return order["id"], round(moment.timestamp() * 1_000_000)


def keep_ordering(server, stop: threading.Event):
    rider = server.user()
    try:
        while not stop.wait(0.02):
            rider.post("/api/orders/", order_body())
    except httpx.TransportError:
        return


class Connection:
    """One connection of the driver, and the offers it was told of."""

    def __init__(self, driver):
        self.socket = driver.connect("/ws/driver/orders/")
        self.socket.expect("connection_established")
        self.seen = []
        self.take(self.socket.expect("initial_orders"))
        self.snapshot_at = microseconds()

    def take(self, message: dict):
        if message["type"] == "initial_orders":
            self.seen += map(key, message["orders"])
        elif message["type"] == "new_order":
            self.seen.append(key(message["order"]))
        assert len(self.seen) == len(set(self.seen)), f"an offer came twice: {self.seen}"

    def take_all_so_far(self):
        for message in self.socket.so_far():
            self.take(message)


def due(server, driver, connection: Connection, until: int) -> set:
    """The offers that were live at some moment after the snapshot, and were made before `until`."""
    rows = server.rows(db.OFFERS_OF_DRIVER, driver.id)
    return {
        (order_id, expires_at) for order_id, created_at, expires_at, ended_at in rows
        if created_at <= until and (ended_at is None or ended_at > connection.snapshot_at)
    }


def test_a_hundred_reconnects_under_load(start_server):
    server = start_server(
        ORDER_OFFER_TIMEOUT=0.25, ORDER_REOFFER_AFTER=0.3, ORDER_OFFERS_PER_DRIVER=4, MESSAGE_RATE=0,
        MAX_CONNECTIONS_PER_USER=0,
    )
    driver = server.driver(at=NEAR)
    driver.set_status("online")
    stop = threading.Event()
    load = threading.Thread(target=keep_ordering, args=(server, stop))
    load.start()
    try:
        in_initial = live = 0
        for number in range(ROUNDS):
            connection = Connection(driver)
            in_initial += len(connection.seen)
            connection.take_all_so_far()
            wanted = due(server, driver, connection, microseconds())

            def complete(connection=connection, wanted=wanted):
                connection.take_all_so_far()
                return wanted <= set(connection.seen)

            wait_until(complete, f"round {number}: missed {wanted - set(connection.seen)}", seconds=5)
            live += len(connection.seen)
            connection.socket.abort() if number % 2 else connection.socket.close()
    finally:
        stop.set()
        load.join()
    assert in_initial > ROUNDS / 2, "the load was too small to prove anything"
    assert live > in_initial
    db.assert_sound(server.database)


def test_each_end_is_told_once_to_each_connection(start_server):
    server = start_server(ORDER_OFFER_TIMEOUT=0.2, ORDER_REOFFER_AFTER=0.2, ORDER_OFFERS_PER_DRIVER=2, MESSAGE_RATE=0)
    driver = server.driver(at=NEAR)
    sockets = [driver.connect("/ws/driver/orders/") for _ in range(3)]
    rider = server.user()
    for _ in range(4):
        rider.post("/api/orders/", order_body())
    for socket in sockets:
        socket.expect("connection_established")
        live = {order["id"] for order in socket.expect("initial_orders")["orders"]}
        ends = 0
        while ends < 20:
            message = socket.receive()
            if message["type"] == "new_order":
                assert message["order"]["id"] not in live
                live.add(message["order"]["id"])
            elif message["type"] == "order_timeout":
                assert message["order_id"] in live
                live.remove(message["order_id"])
                ends += 1
