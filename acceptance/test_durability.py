"""Twenty times `kill -9` under load: what was acknowledged is stored once, and readers who resume miss nothing."""

import itertools
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

import db
from holodrive import binary, binary_with_failpoints, wait_until
from orders import PICKUP, act, online_driver, order_body

ROUNDS = 20
FAILPOINTS = ("writer.before_commit", "writer.after_commit", "writer.before_acknowledge")
GONE = (httpx.TransportError, ConnectionClosed, ConnectionError)


class Writer:
    """Sends one text after another, and after a crash once more what had no answer."""

    def __init__(self, label: str):
        self.texts = (f"{label}-{number}" for number in itertools.count())
        self.unanswered = []
        # The id under which each text was acknowledged.
        self.acknowledged = {}

    def open(self):
        """Connects, where the writer needs a connection."""

    def send(self, text: str) -> int:
        """Sends the text and returns the id that the server acknowledged."""
        raise NotImplementedError

    def step(self):
        if not self.unanswered:
            self.unanswered.append(next(self.texts))
        text = self.unanswered[0]
        self.acknowledged[text] = self.send(text)
        self.unanswered.clear()


class Author(Writer):
    """Writes into a conversation, each message under a `client_id`."""

    def __init__(self, user, conversation_id: int, label: str):
        super().__init__(label)
        self.user, self.conversation_id = user, conversation_id

    def open(self):
        self.socket = self.user.connect(f"/ws/chat/{self.conversation_id}/")

    def send(self, text: str) -> int:
        self.socket.send({"type": "chat_message", "message": text, "client_id": text})
        while (message := self.socket.until("chat_message", timeout=20))["message"] != text:
            pass
        return message["message_id"]


class BackEnd(Writer):
    """Notifies a user, each time under an `Idempotency-Key`."""

    def __init__(self, user, label: str):
        super().__init__(label)
        self.user = user

    def send(self, text: str) -> int:
        body = {"user_id": self.user.id, "title": text, "message": "M", "notification_type": "t"}
        response = self.user.server.with_key(
            "POST", "/api/notifications/", json=body, headers={"Idempotency-Key": text})
        assert response.status_code == 201, response.text
        return text


class Rider(Writer):
    """Places orders, each under an `Idempotency-Key`; the address tells them apart."""

    def __init__(self, user, label: str):
        super().__init__(label)
        self.user = user

    def send(self, text: str) -> int:
        headers = {"Idempotency-Key": text}
        response = self.user.post("/api/orders/", order_body(address_from=text), headers=headers)
        assert response.status_code == 201, response.text
        return response.json()["id"]


class Driver:
    """Takes whatever he is offered and drives it to the end; each round is another driver's."""

    def __init__(self, server):
        self.server = server
        # The driver of each order that was acknowledged as accepted.
        self.acknowledged = {}

    def open(self):
        self.user, self.socket = online_driver(self.server, at=PICKUP)

    def step(self):
        order_id = self.socket.until("new_order", timeout=30)["order"]["id"]
        if act(self.user, order_id, "accept").status_code != 200:
            return
        assert order_id not in self.acknowledged, "an accepted order was offered again"
        self.acknowledged[order_id] = self.user.id
        for action in ("arrive", "start", "complete"):
            act(self.user, order_id, action)


class Reader:
    """Resumes after each crash with the last id he has, and keeps all he ever received."""

    def __init__(self, user, path: str, entry, stored):
        self.user, self.path, self.entry, self.stored = user, path, entry, stored
        self.received = []

    def open(self):
        last = self.received[-1][0] if self.received else 0
        self.socket = self.user.connect(f"{self.path}?since={last}")
        self.socket.expect("connection_established")
        replayed = self.socket.collect_until("resumed", timeout=20)[:-1]
        self.received += map(self.entry, replayed)
        assert self.received == self.stored(), self.path

    def step(self):
        self.received.append(self.entry(self.socket.receive(timeout=30)))


class Load:
    """Everybody who writes and reads, over all rounds."""

    def __init__(self, server):
        self.server = server
        authors, reader = [server.user(), server.user()], server.user()
        self.conversation_id = server.with_key(
            "POST", "/api/conversations/", json={"participant_ids": [user.id for user in (*authors, reader)]},
        ).json()["id"]
        self.authors = [Author(user, self.conversation_id, f"author{user.id}") for user in authors]
        self.back_end, self.rider = BackEnd(reader, "backend"), Rider(server.user(), "rider")
        self.drivers = [Driver(server), Driver(server)]
        self.readers = [
            Reader(reader, f"/ws/chat/{self.conversation_id}/",
                   lambda message: (message["message_id"], message["message"]),
                   lambda: self.rows(db.MESSAGES, self.conversation_id)),
            Reader(reader, "/ws/notifications/",
                   lambda message: (message["notification"]["id"], message["notification"]["title"]),
                   lambda: self.rows(db.NOTIFICATIONS, reader.id)),
        ]

    @property
    def writers(self) -> list:
        return [*self.authors, self.back_end, self.rider, *self.drivers]

    def rows(self, statement: str, *parameters) -> list[tuple]:
        return [tuple(row) for row in self.server.rows(statement, *parameters)]

    def acknowledged(self) -> int:
        return sum(len(writer.acknowledged) for writer in self.writers)

    def resume(self):
        """Readers come back first, while nobody writes, so that what they have can be compared with what is stored."""
        for each in self.readers:
            each.open()

    def run_until_gone(self, crash):
        """Everybody at work until `crash` has ended the server."""
        for each in self.writers:
            each.open()
        with ThreadPoolExecutor(len(self.writers) + len(self.readers)) as pool:
            running = [pool.submit(repeat_until_gone, each.step) for each in (*self.writers, *self.readers)]
            try:
                crash()
            finally:
                self.server.kill()
            for each in running:
                each.result()

    def assert_nothing_lost(self):
        db.assert_consistent(self.server.database)
        messages = self.rows(db.MESSAGES, self.conversation_id)
        for author in self.authors:
            assert {(number, text) for text, number in author.acknowledged.items()} <= set(messages)
        titles = [title for _, title in self.rows(db.NOTIFICATIONS, self.back_end.user.id) if "backend" in title]
        orders = self.rows(db.ORDERS_BY_ADDRESS)
        assert self.back_end.acknowledged.keys() <= set(titles)
        assert {(number, text) for text, number in self.rider.acknowledged.items()} <= set(orders)
        for texts in ([text for _, text in messages], titles, [address for _, address in orders]):
            assert len(texts) == len(set(texts)), "something was stored twice"
        for driver in self.drivers:
            for order_id, driver_id in driver.acknowledged.items():
                assert self.rows(db.DRIVER_OF_ORDER, order_id) == [(driver_id,)]


def repeat_until_gone(step):
    try:
        while True:
            step()
    except GONE:
        return


def at_a_random_moment(server, load, chance):
    """Runs the program as it ships, and kills it after some more acknowledgements."""
    server.program = binary()
    server.env.pop("HOLODRIVE_FAILPOINT", None)
    server.start()
    load.resume()
    enough = load.acknowledged() + chance.randint(5, 150)

    def has_enough():
        assert server.process.poll() is None, server.logs()
        return load.acknowledged() >= enough

    load.run_until_gone(lambda: wait_until(has_enough, "enough acknowledgements", 30, interval=0.0007))


def at_failpoint(name, server, load, chance):
    """Has the program end itself at some pass of the failpoint."""
    server.program = binary_with_failpoints()
    server.env["HOLODRIVE_FAILPOINT"] = f"{name}:{chance.randint(40, 160)}"
    server.start()
    load.resume()
    before = load.acknowledged()
    load.run_until_gone(lambda: server.process.wait(timeout=30))
    assert server.process.returncode == -signal.SIGABRT, server.logs()
    assert load.acknowledged() > before, "the server ended before the load began"


@pytest.mark.timeout(300)
def test_twenty_crashes_under_load(start_server):
    seed = int(os.environ.get("HOLODRIVE_SEED") or time.time_ns())
    print(f"HOLODRIVE_SEED={seed}")
    chance = random.Random(seed)
    server = start_server(MESSAGE_RATE=0, ORDER_OFFER_TIMEOUT=2)
    load = Load(server)
    server.kill()
    for number in range(ROUNDS):
        # Every other round is a failpoint's, each of them in turn.
        if number % 2:
            at_failpoint(FAILPOINTS[number // 2 % len(FAILPOINTS)], server, load, chance)
        else:
            at_a_random_moment(server, load, chance)
        load.assert_nothing_lost()
    server.program = binary()
    server.start()
    load.resume()
    assert all(writer.acknowledged for writer in load.writers)
