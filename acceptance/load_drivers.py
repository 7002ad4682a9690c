"""Drivers of every kind: who accepts, who declines, who stays silent, and over which way."""

from collections import deque
from datetime import datetime, timedelta, timezone

import db
from load_users import PATIENCE, Actor
from orders import PICKUP, act

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# What a driver does with an order that he has, and where it stands then.
STEPS = {"accept": "accepted", "arrive": "arrived", "start": "in_progress", "complete": "completed"}
ACTIONS, STATUSES = list(STEPS), list(STEPS.values())


def offer_key(order: dict) -> tuple[int, int]:
    """Tells an offer of an order from the next one, as the table does."""
    moment = datetime.fromisoformat(order["expires_at"])
    return order["id"], (moment - EPOCH) // timedelta(microseconds=1)


class Driver(Actor):
    """Answers offers in his way, and drives what he gets to the end, after a crash from where it stands."""

    def __init__(self, user):
        super().__init__(user)
        # How far each of his orders came: the status that was acknowledged.
        self.reached = {}

    def open(self):
        # The offers that this connection saw, and the order of the last one until it was told to be over.
        self.seen, self.offer = [], None
        self.socket = self.user.connect("/ws/driver/orders/")
        self.socket.expect("connection_established", timeout=PATIENCE)
        self.inbox = deque([self.socket.expect("initial_orders", timeout=PATIENCE)])

    def step(self):
        message = self.inbox.popleft() if self.inbox else self.socket.receive(timeout=PATIENCE)
        getattr(self, message["type"])(message)

    def initial_orders(self, message):
        for order in message["orders"]:
            self.show(order)

    def active_ride_snapshot(self, message):
        order = message["order"]
        again = act(self.user, order["id"], "accept")
        assert (again.status_code, again.json()["driver_id"]) == (200, self.user.id), again.text
        self.drive(order)

    def new_order(self, message):
        self.show(message["order"])

    def show(self, order: dict):
        """An offer is seen once, and not before the end of the one before."""
        assert offer_key(order) not in self.seen, f"{offer_key(order)} was offered twice"
        assert self.offer is None, f"{offer_key(order)} was offered before the end of {self.seen[-1]}"
        self.seen.append(offer_key(order))
        self.offer = order["id"]
        self.socket.send({"type": "location", "latitude": PICKUP[0], "longitude": PICKUP[1]})
        self.answer(order)

    def answer(self, order: dict):
        """Accepts the offer, or declines it, or does nothing."""
        raise NotImplementedError

    def end(self, order_id: int):
        assert self.offer == order_id, f"the end of {order_id} was told, and {self.offer} was live"
        self.offer = None

    def order_timeout(self, message):
        self.end(message["order_id"])

    def order_declined(self, message):
        self.end(message["order_id"])
        self.acknowledged[self.seen[-1]] = "declined"

    def order_accepted(self, message):
        self.end(message["order"]["id"])
        self.acknowledged[self.seen[-1]] = "accepted"
        self.drive(message["order"])

    def error(self, message):
        assert message["code"] == "offer_expired", message

    def drive(self, order: dict):
        self.reached[order["id"]] = order["status"]
        for action in ACTIONS[STATUSES.index(order["status"]) + 1:]:
            response = act(self.user, order["id"], action)
            assert response.status_code == 200, response.text
            self.reached[order["id"]] = STEPS[action]

    def check(self):
        offers = self.rows(db.OFFERS_TO_DRIVER, self.user.id)
        states = {(order_id, expires_at): state for order_id, expires_at, state in offers}
        assert self.acknowledged.items() <= states.items()
        told_as_over = self.seen if self.offer is None else self.seen[:-1]
        assert all(states[key] != "live" for key in told_as_over)
        if self.seen:
            keys = list(states)
            first = keys.index(self.seen[0])
            assert keys[first:first + len(self.seen)] == self.seen, "an offer was not shown"
        stored = dict(self.rows(db.ORDERS_OF_DRIVER, self.user.id))
        for order_id, status in self.reached.items():
            assert STATUSES.index(stored[order_id]) >= STATUSES.index(status)


class OverHttp(Driver):
    """Answers each offer by a request."""

    ACTION, ANSWERED = None, None

    def answer(self, order):
        response = act(self.user, order["id"], self.ACTION)
        if response.status_code == 200:
            self.acknowledged[offer_key(order)] = self.ANSWERED
        else:
            assert response.json()["code"] == "offer_expired", response.text


class Taker(OverHttp):
    ACTION, ANSWERED = "accept", "accepted"


class Decliner(OverHttp):
    ACTION, ANSWERED = "decline", "declined"


class OverTheSocket(Driver):
    """Answers each offer by a message."""

    ANSWER = None

    def answer(self, order):
        self.socket.send({"type": self.ANSWER, "order_id": order["id"]})


class TakerOverTheSocket(OverTheSocket):
    ANSWER = "accept_order"


class DeclinerOverTheSocket(OverTheSocket):
    ANSWER = "decline_order"


class Silent(Driver):
    def answer(self, order):
        """Lets it run out."""

    def order_timeout(self, message):
        super().order_timeout(message)
        self.acknowledged[self.seen[-1]] = "expired"


class SecondPhone(Driver):
    """A driver's other connection, which only looks on, and comes anew every few offers, in the middle of them."""

    CONNECTIONS_LAST = 5

    def answer(self, order):
        if len(self.seen) > self.CONNECTIONS_LAST:
            self.check()
            self.socket.close()
            self.open()
