"""`kill -9` under load, at random moments and at the worst ones: nothing that was acknowledged is lost or doubled."""

import os
import random
import re
import signal
import time
from pathlib import Path

import pytest

import db
from holodrive import binary, binary_with_failpoints, wait_until
from load import Load

TABLE_OF_FAILPOINTS = Path(__file__).parents[1] / "crates/server/src/failpoint.rs"
FAILPOINTS = re.findall(r"^//! \| `(\S+)` \|", TABLE_OF_FAILPOINTS.read_text(), re.MULTILINE)
# At the least; every other round is a failpoint's, and each of them has its turn.
ROUNDS = 20


def at_a_random_moment(server, load, chance):
    """Runs the program as it ships, and kills it after some more acknowledgements."""
    server.program = binary()
    server.env.pop("HOLODRIVE_FAILPOINT", None)
    server.start()
    load.resume()
    enough = load.acknowledged() + chance.randint(5, 600)

    def has_enough():
        assert server.process.poll() is None, server.logs()
        return load.acknowledged() >= enough

    load.run_until_gone(lambda: wait_until(has_enough, "enough acknowledgements", 30, interval=0.0007))


def at_failpoint(name, server, load, chance):
    """Has the program end itself at some pass of the failpoint, when the load has begun."""
    passes = chance.randint(40, 160) if name.startswith("writer.") else chance.randint(12, 20)
    server.program = binary_with_failpoints()
    server.env["HOLODRIVE_FAILPOINT"] = f"{name}:{passes}"
    server.start()
    load.resume()
    before = load.acknowledged()
    load.run_until_gone(lambda: server.process.wait(timeout=30))
    assert server.process.returncode == -signal.SIGABRT, f"{name}\n{server.logs()}"
    assert load.acknowledged() > before, "the server ended before the load began"


def to_the_end(server, load):
    """No order was forgotten: without new ones, the drivers finish them all. Readers catch up."""
    server.program = binary()
    server.env.pop("HOLODRIVE_FAILPOINT", None)
    server.start()
    load.resume()

    def is_done():
        return not server.rows(db.UNFINISHED_ORDERS) and not any(reader.unread for reader in load.readers)

    load.run_until_gone(lambda: wait_until(is_done, "the end", 30, interval=0.1), [*load.drivers, *load.readers])


@pytest.mark.timeout(300)
def test_crashes_under_load(start_server):
    assert len(FAILPOINTS) == len(set(FAILPOINTS)) > 0
    seed = int(os.environ.get("HOLODRIVE_SEED") or time.time_ns())
    print(f"HOLODRIVE_SEED={seed}")
    chance = random.Random(seed)
    server = start_server(MESSAGE_RATE=0, ORDER_OFFER_TIMEOUT=0.5, ORDER_REOFFER_AFTER=1)
    load = Load(server)
    server.kill()
    for number in range(max(ROUNDS, 2 * len(FAILPOINTS))):
        if number % 2:
            at_failpoint(FAILPOINTS[number // 2 % len(FAILPOINTS)], server, load, chance)
        else:
            at_a_random_moment(server, load, chance)
        load.assert_nothing_lost()
    to_the_end(server, load)
    load.assert_nothing_lost()
    server.start()
    load.resume()
    assert all(actor.acknowledged for actor in load.actors if actor not in load.phones)
