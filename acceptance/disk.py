"""Who writes onto a disk that fails, and what a power cut would leave of it."""

import copy
import errno

import db
import strace
from holodrive import wait_until
from orders import PICKUP, act, open_driver_socket, order_body
from test_chat import direct, enter, say

# Where an order stands, as far as an acknowledgement is concerned.
STANDING = {name: place for place, names in enumerate((
    ("searching", "pending"), ("accepted",), ("arrived",), ("in_progress",), ("completed",))) for name in names}
# Nobody is refused so often before it is done after all.
TOO_OFTEN = 2000


class Client:
    """Repeats what was refused, and keeps what was acknowledged, in that order."""

    def __init__(self):
        self.attempts = self.refused = 0
        self.acknowledged = {}

    def was_refused(self):
        self.refused += 1
        assert self.refused < TOO_OFTEN, "refused again and again"

    def fragments(self, key) -> tuple[str, ...]:
        """What tells the frames that acknowledge `key` from all others."""
        raise NotImplementedError

    def assert_stored(self, path, keys):
        """Each of these acknowledgements is held by the database at this path."""
        raise NotImplementedError


class Author(Client):
    """Sends one message after another."""

    def __init__(self, server):
        super().__init__()
        self.user, self.other = server.user(), server.user()
        self.conversation_id = direct(server, self.user, self.other)

    def send(self, socket, text: str) -> bool:
        """Whether the message was acknowledged; if not, it must have been refused in so many words."""
        self.attempts += 1
        say(socket, text, client_id=f"id of {len(self.acknowledged)}")
        answer = socket.receive(timeout=20)
        if answer["type"] == "error":
            assert answer["code"] == "unavailable", answer
            self.was_refused()
            return False
        assert (answer["type"], answer["message"]) == ("chat_message", text)
        self.acknowledged[text] = answer["message_id"]
        return True

    def write(self, attempts: int):
        socket = enter(self.user, self.conversation_id)
        enough = self.attempts + attempts
        while self.attempts < enough:
            self.send(socket, f"text {len(self.acknowledged):05}.")

    def fragments(self, key):
        return (key,)

    def assert_stored(self, path, keys):
        db.assert_sound(path)
        with db.connect(path) as database:
            rows = [tuple(row) for row in database.execute(db.MESSAGES, (self.conversation_id,))]
        assert {(self.acknowledged[text], text) for text in keys} <= set(rows)
        assert len({text for _, text in rows}) == len(rows), "a message was stored twice"


class Passenger(Client):
    """Orders one trip after another, each driven to its end; what is acknowledged is (address, status)."""

    def __init__(self, server):
        super().__init__()
        self.rider, self.driver = server.user(), server.driver(at=PICKUP)
        self.trips = 0

    def ride(self, trips: int):
        self.socket = open_driver_socket(self.driver)
        for _ in range(trips):
            self.trips += 1
            address = f"trip-{self.trips:05}."
            order_id = self.ask(address, lambda: self.rider.post(
                "/api/orders/", order_body(address_from=address), headers={"Idempotency-Key": address}))["id"]
            assert self.socket.expect("new_order", timeout=20)["order"]["id"] == order_id
            self.accept(address, order_id)
            for action in ("arrive", "start", "complete"):
                self.ask(address, lambda: act(self.driver, order_id, action))

    def ask(self, address: str, request) -> dict:
        while (response := request()).status_code == 503:
            self.was_refused()
        assert response.is_success, response.text
        self.acknowledged[address, response.json()["status"]] = True
        return response.json()

    def accept(self, address: str, order_id: int):
        """Every other time over the socket."""
        if self.trips % 2:
            self.ask(address, lambda: act(self.driver, order_id, "accept"))
            self.socket.expect("order_accepted")
            return
        self.socket.send({"type": "accept_order", "order_id": order_id})
        while (answer := self.socket.receive(timeout=20))["type"] == "error":
            assert answer["code"] == "unavailable", answer
            self.was_refused()
            self.socket.send({"type": "accept_order", "order_id": order_id})
        assert (answer["type"], answer["order"]["id"]) == ("order_accepted", order_id)
        self.acknowledged[address, "accepted"] = True

    def fragments(self, key):
        address, status = key
        return (address, f'"status":"{status}"')

    def assert_stored(self, path, keys):
        db.assert_consistent(path)
        with db.connect(path) as database:
            rows = [tuple(row) for row in database.execute(db.ORDERS_WITH_STATUS)]
        stored = dict(rows)
        assert len(stored) == len(rows), "an order was stored twice"
        for address, status in keys:
            assert STANDING[stored[address]] >= STANDING[status], (address, status)


class Traced:
    """A server whose disk is watched, and made to fail."""

    def __init__(self, server):
        self.server = server

    def run(self, fault, work, checkpoint=True) -> tuple[strace.Disk, list[strace.Call]]:
        """Starts the server anew for this work; gives the disk as it was before, and the calls since.

        The database stays open meanwhile, as in a Django beside us, and with `checkpoint` is due for one: the faults are to
        meet writes and checkpoints, not the start.
        """
        server, log = self.server, self.server.directory / "strace.log"
        server.kill()
        log.unlink(missing_ok=True)
        server.wrapper = strace.command(log, fault)
        with db.connect(server.database) as neighbour:
            db.assert_readable(neighbour)
            if checkpoint:
                db.fill_log(neighbour)
            disk = strace.Disk(server.database, self.log)
            server.start()
            work()
            server.kill()
        wait_until(lambda: strace.has_ended(log, server.process.pid), "strace has written its log")
        server.wrapper = []
        return disk, strace.read(log)

    @property
    def log(self):
        """The file into which the database writes first, and which makes a commit durable."""
        return self.server.database.with_name(self.server.database.name + "-wal")


def sends(calls, fragments):
    return [call for call in calls
            if call.name in strace.SENDS and all(fragment.encode() in call.data for fragment in fragments)]


def assert_survives_power_cuts(disk, calls, client, keys, directory, every=1):
    """At the moment of an acknowledgement, the disk alone holds it and all before it; looks at every `every`-th."""
    disk = copy.deepcopy(disk)
    directory.mkdir(exist_ok=True)
    position = 0
    for number in range(len(keys), 0, -every)[::-1]:
        acknowledgement = min(call.began for call in sends(calls, client.fragments(keys[number - 1])))
        while position < len(calls) and calls[position].ended < acknowledgement:
            disk.apply(calls[position])
            position += 1
        disk.copy_to(directory)
        client.assert_stored(directory / "holodrive.db", keys[:number])


def fill(path):
    """Takes all the space that is left."""
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as full:
            assert full.errno == errno.ENOSPC
