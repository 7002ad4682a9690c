"""Who goes on working while the database is away, and holds in the end what he was told against what is stored."""

import threading
import time
from contextlib import contextmanager

import db
from holodrive import wait_until
from load_drivers import offer_key
from orders import PICKUP, act, open_driver_socket, order_body
from test_chat import direct, enter
from test_notifications import listen

PATIENCE = 30
# How long a client waits before he repeats what was refused.
PAUSE = 0.01


class Actor:
    """Does one thing after another; what is refused because of the database, again. His sockets stay open all the time."""

    # What he is to get done before the next thing happens.
    ENOUGH = 15

    def __init__(self, server):
        self.server = server
        self.refused = 0
        # What the server acknowledged; what it means is up to the actor.
        self.acknowledged = {}
        self.failure = None

    def work(self, stop: threading.Event):
        try:
            while not stop.is_set():
                self.step()
        except Exception as failure:
            self.failure = failure

    def was_refused(self):
        self.refused += 1
        time.sleep(PAUSE)

    def ask(self, request):
        while (response := request()).status_code == 503:
            self.was_refused()
        return response

    def step(self):
        raise NotImplementedError

    def check(self):
        raise NotImplementedError


class Author(Actor):
    """Writes into a conversation; somebody else listens to it."""

    def __init__(self, server):
        super().__init__(server)
        user, other = server.user(), server.user()
        self.conversation_id = direct(server, user, other)
        self.socket, self.listener = enter(user, self.conversation_id), enter(other, self.conversation_id)
        self.other = other

    def step(self):
        text = f"text {len(self.acknowledged):05}"
        self.acknowledged[text] = self.send(text)

    def send(self, text: str) -> int:
        """A commit whose answer came late is told after its message was refused, so an earlier text may come again."""
        self.say(text)
        while True:
            message = self.socket.receive(timeout=PATIENCE)
            if message["type"] == "error":
                assert message["code"] == "unavailable", message
                self.was_refused()
                self.say(text)
            elif (message["type"], message.get("message")) == ("chat_message", text):
                return message["message_id"]

    def say(self, text: str):
        self.socket.send({"type": "chat_message", "message": text, "client_id": text})

    def check(self):
        stored = self.server.rows(db.MESSAGES, self.conversation_id)
        assert {(number, text) for text, number in self.acknowledged.items()} <= set(stored)
        assert len({text for _, text in stored}) == len(stored), "a message was stored twice"
        heard = hear(self.listener, "chat_message", len(stored))
        assert [(message["message_id"], message["message"]) for message in heard] == stored
        again = self.other.connect(f"/ws/chat/{self.conversation_id}/?since=0")
        again.expect("connection_established")
        assert again.collect_until("resumed", timeout=PATIENCE)[:-1] == heard


class BackEnd(Actor):
    """Notifies a user, who listens."""

    def __init__(self, server):
        super().__init__(server)
        self.user = server.user()
        self.listener = listen(self.user)

    def step(self):
        title = f"title {len(self.acknowledged):05}"
        body = {"user_id": self.user.id, "title": title, "message": "M", "notification_type": "t"}
        response = self.ask(lambda: self.server.with_key(
            "POST", "/api/notifications/", json=body, headers={"Idempotency-Key": f"{self.user.id}-{len(self.acknowledged)}"}))
        assert response.status_code == 201, response.text
        self.acknowledged[title] = response.json()["ids"][0]

    def check(self):
        stored = self.server.rows(db.NOTIFICATIONS, self.user.id)
        assert {(number, title) for title, number in self.acknowledged.items()} <= set(stored)
        assert len({title for _, title in stored}) == len(stored), "a notification was stored twice"
        heard = [message["notification"] for message in hear(self.listener, "notification", len(stored))]
        assert [(notification["id"], notification["title"]) for notification in heard] == stored


class Trips(Actor):
    """A rider orders one trip after another, and the only driver near him drives each to its end."""

    ENOUGH = 2

    def __init__(self, server, place):
        super().__init__(server)
        self.place = {"latitude_from": place[0], "longitude_from": place[1]}
        self.rider, self.driver = server.user(), server.driver(at=place)
        self.socket, self.heard = open_driver_socket(self.driver), []

    def step(self):
        address = f"trip-{self.rider.id}-{len(self.acknowledged):05}"
        response = self.ask(lambda: self.rider.post(
            "/api/orders/", order_body(address_from=address, **self.place), headers={"Idempotency-Key": address}))
        assert response.status_code == 201, response.text
        order_id = response.json()["id"]
        while not self.is_accepted(order_id):
            pass
        for action in ("arrive", "start", "complete"):
            # A step may have been made although its answer was lost.
            response = self.ask(lambda: self.driver.post(
                f"/api/driver/orders/{order_id}/{action}/", headers={"Idempotency-Key": f"{action}-{order_id}"}))
            assert response.status_code == 200, response.text
        self.acknowledged[address] = order_id

    def is_accepted(self, order_id: int) -> bool:
        """Waits for an offer of this order; it may have ended while the database was away."""
        while (message := self.socket.receive(timeout=PATIENCE))["type"] != "new_order":
            self.heard.append(message)
        self.heard.append(message)
        assert message["order"]["id"] == order_id
        response = self.ask(lambda: act(self.driver, order_id, "accept"))
        assert response.status_code == 200 or response.json()["code"] == "offer_expired", response.text
        return response.status_code == 200

    def check(self):
        stored = self.server.rows(db.ORDERS_WITH_STATUS)
        statuses = {address: status for address, status in stored if address.startswith(f"trip-{self.rider.id}-")}
        assert len(dict(stored)) == len(stored), "an order was stored twice"
        assert all(statuses[address] == "completed" for address in self.acknowledged)
        self.heard += self.socket.so_far()
        offers = self.server.rows(db.OFFERS_TO_DRIVER, self.driver.id)
        told = [offer_key(message["order"]) for message in self.heard if message["type"] == "new_order"]
        assert told == [(order_id, expires_at) for order_id, expires_at, _ in offers]
        accepted = [message["order"]["id"] for message in self.heard if message["type"] == "order_accepted"]
        assert accepted == [order_id for order_id, _, state in offers if state == "accepted"]


def hear(socket, kind: str, count: int) -> list[dict]:
    """All of this kind that came so far, when it is as many as that: a commit that is settled late is told late."""
    heard = []

    def are_there():
        messages = socket.so_far()
        assert all(message["type"] != "error" for message in messages), messages
        heard.extend(message for message in messages if message["type"] == kind)
        return len(heard) >= count

    wait_until(are_there, f"{count} of {kind} are told", PATIENCE)
    return heard


class Outage:
    """Everybody at work, on one or several servers of one database."""

    def __init__(self, *servers):
        self.servers = servers
        self.actors = []
        for number, server in enumerate(servers):
            # Out of reach of each other's drivers.
            place = (PICKUP[0] - 10 * number, PICKUP[1])
            self.actors += [Author(server), Author(server), BackEnd(server), Trips(server, place)]

    @contextmanager
    def at_work(self):
        stop = threading.Event()
        threads = [threading.Thread(target=actor.work, args=(stop,), daemon=True) for actor in self.actors]
        for thread in threads:
            thread.start()
        try:
            self.go_on()
            yield self
            self.go_on()
        finally:
            stop.set()
            for thread in threads:
                thread.join(timeout=2 * PATIENCE)
        assert not any(thread.is_alive() for thread in threads), "somebody waits for ever"

    def go_on(self, actors=None):
        """Everybody gets something done."""
        actors = actors or self.actors
        goals = [(actor, len(actor.acknowledged) + actor.ENOUGH) for actor in actors]
        self.wait_until(lambda: all(len(actor.acknowledged) >= goal for actor, goal in goals), "work goes on")

    def are_refused(self):
        """Everybody is told that the database is away who asks for something: a driver may just wait for an offer."""
        before = [(actor, actor.refused) for actor in self.actors if not isinstance(actor, Trips)]
        self.wait_until(lambda: all(actor.refused > refused for actor, refused in before), "refusals")

    def wait_until(self, condition, what: str):
        def is_true():
            for actor in self.actors:
                assert actor.failure is None, repr(actor.failure)
            return condition()
        wait_until(is_true, what, PATIENCE)

    def check(self):
        for server in self.servers:
            db.assert_consistent(server.database)
        for actor in self.actors:
            actor.check()
