"""Who writes, reads and orders while the server is killed, again and again.

Each actor keeps what the server acknowledged to him, repeats after a crash what had no answer, and holds what he has
against what is stored.
"""

import itertools

import httpx
from websockets.exceptions import ConnectionClosed, InvalidHandshake

import db
from orders import order_body

GONE = (httpx.TransportError, ConnectionClosed, InvalidHandshake, ConnectionError, EOFError)

OPEN = ("searching", "pending")
# Orders of one rider that wait for a driver.
WAITING = 15
PATIENCE = 30


class Actor:
    """Does one thing after another until the server is gone."""

    def __init__(self, user):
        self.user, self.server = user, user.server
        # What the server acknowledged; what it means is up to the actor.
        self.acknowledged = {}

    def resume(self):
        """Comes back after a crash, while nobody writes, and holds what he has against what is stored."""

    def open(self):
        """Goes to work."""

    def step(self):
        raise NotImplementedError

    def check(self):
        """Holds what was acknowledged against what is stored, while nobody serves."""

    def rows(self, statement: str, *parameters) -> list[tuple]:
        return [tuple(row) for row in self.server.rows(statement, *parameters)]

    def work(self):
        try:
            self.open()
            while True:
                self.step()
        except GONE:
            return


class Writer(Actor):
    """Sends one text after another, and after a crash once more what had no answer."""

    def __init__(self, user, label: str):
        super().__init__(user)
        self.texts = (f"{label}-{number}" for number in itertools.count())
        self.unanswered = []

    def send(self, text: str) -> int:
        """Sends the text and returns the id that the server acknowledged."""
        raise NotImplementedError

    def stored(self) -> list[tuple]:
        """The id and text of all that is stored of this kind, other writers' included."""
        raise NotImplementedError

    def step(self):
        if not self.unanswered:
            self.unanswered.append(next(self.texts))
        text = self.unanswered[0]
        self.acknowledged[text] = self.send(text)
        self.unanswered.clear()

    def check(self):
        stored = self.stored()
        assert {(number, text) for text, number in self.acknowledged.items()} <= set(stored)
        assert len({text for _, text in stored}) == len(stored), "something was stored twice"


class Author(Writer):
    """Writes into a conversation, each message under a `client_id`."""

    def __init__(self, user, conversation_id: int):
        super().__init__(user, f"author{user.id}")
        self.conversation_id = conversation_id

    def open(self):
        self.socket = self.user.connect(f"/ws/chat/{self.conversation_id}/")

    def send(self, text: str) -> int:
        self.socket.send({"type": "chat_message", "message": text, "client_id": text})
        while (message := self.socket.until("chat_message", timeout=PATIENCE))["message"] != text:
            pass
        return message["message_id"]

    def stored(self):
        return self.rows(db.MESSAGES, self.conversation_id)


class BackEnd(Writer):
    """Notifies a user, each time under an `Idempotency-Key`."""

    def __init__(self, user):
        super().__init__(user, f"backend{user.id}")

    def send(self, text: str) -> int:
        body = {"user_id": self.user.id, "title": text, "message": "M", "notification_type": "backend"}
        response = self.server.with_key("POST", "/api/notifications/", json=body, headers={"Idempotency-Key": text})
        assert response.status_code == 201, response.text
        return response.json()["ids"][0]

    def stored(self):
        return self.rows(db.NOTIFICATIONS_OF_TYPE, self.user.id, "backend")


class Rider(Writer):
    """Places orders, each under an `Idempotency-Key`, as long as few enough wait; follows all of them."""

    def __init__(self, user):
        super().__init__(user, f"rider{user.id}")

    def open(self):
        self.socket = self.user.connect("/ws/rider/orders/")
        self.socket.expect("connection_established", timeout=PATIENCE)
        initial = self.socket.expect("initial_orders", timeout=PATIENCE)["orders"]
        self.standing = {order["id"]: order["status"] for order in initial}

    def step(self):
        if self.unanswered or sum(status in OPEN for status in self.standing.values()) < WAITING:
            super().step()
        self.take(self.socket.receive(timeout=PATIENCE)["order"])

    def take(self, order: dict):
        """Each step of a trip comes once, and after the step before."""
        before, now = self.standing.get(order["id"]), order["status"]
        expected = {"accepted": OPEN, "arrived": ["accepted"], "in_progress": ["arrived"], "completed": ["in_progress"]}
        assert now in OPEN or before in expected[now], (order["id"], before, now)
        self.standing[order["id"]] = now

    def send(self, text: str) -> int:
        response = self.user.post("/api/orders/", order_body(address_from=text), headers={"Idempotency-Key": text})
        assert response.status_code == 201, response.text
        return response.json()["id"]

    def stored(self):
        return self.rows(db.ORDERS_BY_ADDRESS)


class Reader(Actor):
    """Resumes after each crash with the last id he has, keeps all he ever received, and marks some of it as read."""

    kind = told = path = None

    def __init__(self, user):
        super().__init__(user)
        self.received = []

    def resume(self):
        last = self.received[-1][0] if self.received else 0
        self.socket = self.user.connect(f"{self.path}?since={last}")
        self.socket.expect("connection_established", timeout=PATIENCE)
        *replayed, resumed = self.socket.collect_until("resumed", timeout=PATIENCE)
        assert resumed["count"] == len(replayed)
        self.received += map(self.entry, replayed)
        assert self.received == self.stored(), self.path

    @property
    def unread(self) -> list[int]:
        """What is to be marked as read, and was not acknowledged as such."""
        return [number for number, _ in self.received if number % 3 == 0 and number not in self.acknowledged]

    def open(self):
        for number in self.unread:
            self.mark(number)

    def step(self):
        message = self.socket.receive(timeout=PATIENCE)
        if message["type"] == self.kind:
            self.received.append(self.entry(message))
            if (number := self.received[-1][0]) % 3 == 0:
                self.mark(number)
        else:
            assert message["type"] == self.told, message
            self.acknowledged |= self.read(message)

    def check(self):
        assert self.acknowledged.keys() <= {number for number, in self.stored_as_read()}

    def entry(self, message: dict) -> tuple:
        """The id and text of a message."""
        raise NotImplementedError

    def mark(self, number: int):
        """Tells that it was read."""
        raise NotImplementedError

    def read(self, message: dict) -> dict:
        """What is acknowledged as read by the reader himself."""
        raise NotImplementedError

    def stored(self) -> list[tuple]:
        raise NotImplementedError

    def stored_as_read(self) -> list[tuple]:
        raise NotImplementedError


class ChatReader(Reader):
    kind, told = "chat_message", "message_read"

    def __init__(self, user, conversation_id: int):
        super().__init__(user)
        self.conversation_id, self.path = conversation_id, f"/ws/chat/{conversation_id}/"

    def entry(self, message):
        return message["message_id"], message["message"]

    def mark(self, number):
        self.socket.send({"type": "read_message", "message_id": number})

    def read(self, message):
        return {message["message_id"]: True} if message["read_by"] == self.user.id else {}

    def stored(self):
        return self.rows(db.MESSAGES, self.conversation_id)

    def stored_as_read(self):
        return self.rows(db.MESSAGES_READ_BY, self.user.id)


class NotificationReader(Reader):
    kind, told, path = "notification", "notification_read", "/ws/notifications/"

    def entry(self, message):
        return message["notification"]["id"], message["notification"]["title"]

    def mark(self, number):
        self.socket.send({"type": "mark_as_read", "notification_id": number})

    def read(self, message):
        return {message["notification_id"]: True}

    def stored(self):
        return self.rows(db.NOTIFICATIONS, self.user.id)

    def stored_as_read(self):
        return self.rows(db.NOTIFICATIONS_READ, self.user.id)
