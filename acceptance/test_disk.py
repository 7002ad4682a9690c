"""A disk that fails, fills up, or loses its power: what was acknowledged is on it, and nothing else is pretended."""

import itertools
import subprocess
import time

import pytest

import db
import strace
from disk import Author, Passenger, Traced, assert_survives_power_cuts, fill, sends
from holodrive import Server, wait_until
from orders import PICKUP, accepted_order, act, online_driver, open_driver_socket, order_body, order_status, place_order
from sockets import PING, PONG
from test_chat import enter
from test_driver_orders import driver_side_events, raw_driver
from test_notifications import BODY, listen

pytestmark = pytest.mark.embedded("it makes the disk under the file fail; under PostgreSQL that is PostgreSQL's own matter")

# The faults of a sweep: every N-th call fails, for each N up to this.
LAST = 100
FAILED_COMMITS = "holodrive_commit_failures_total"
EXPIRED_OFFERS = 'holodrive_offers_ended_total{outcome="expired"}'
# Out of everybody's reach.
ELSEWHERE = (10.0, 10.0)


@pytest.fixture
def traced(start_server):
    reason = strace.why_not()
    if reason:
        pytest.skip(f"processes cannot be traced here: {reason}")
    return Traced(start_server(MESSAGE_RATE=0))


def test_what_is_acknowledged_was_synced(traced, tmp_path):
    author, passenger = Author(traced.server), Passenger(traced.server)

    def work():
        author.write(attempts=20)
        passenger.ride(trips=4)

    disk, calls = traced.run(None, work)
    log = str(traced.log)
    texts = list(author.acknowledged)
    assert (len(texts), len(passenger.acknowledged)) == (20, 4 * 5)
    for text in texts:
        acknowledged = min(call.began for call in sends(calls, (text,)))
        written = max(call.ended for call in calls
                      if call.name == "pwrite64" and call.file == log and text.encode() in call.data
                      and call.ended < acknowledged)
        assert any(call.name in strace.SYNCS and call.file == log and call.result == 0
                   and written < call.began and call.ended < acknowledged for call in calls), text
    for client in (author, passenger):
        assert_survives_power_cuts(disk, calls, client, list(client.acknowledged), tmp_path / "after power cut")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("names, error, step, starts, messages, trips", [
    (strace.SYNCS, "EIO", 5, range(1, 6), 60, 8),
    (("pwrite64",), "ENOSPC", 25, range(1, 26), 20, 0),
    # To accept an order takes about fifty writes; a checkpoint takes thousands, and would meet all faults.
    (("pwrite64",), "ENOSPC", 75, range(1, 76, 5), 0, 3),
], ids=["sync", "write", "write of dispatch"])
def test_every_single_fault_is_told_and_nothing_is_lost(traced, tmp_path, names, error, step, starts, messages, trips):
    """Each run lets every `step`-th call fail, beginning with another one, so that those up to LAST have failed."""
    server = traced.server
    clients = author, passenger = Author(server), Passenger(server)
    covered, touched, told = set(), set(), [(0, 0)]

    def work():
        author.write(messages)
        passenger.ride(trips)
        # Some runs meet checkpoints alone, which may fail without harm.
        told.append((server.metric(FAILED_COMMITS), author.refused + passenger.refused))
        wait_until(server.is_ready, "ready again")

    for first in starts:
        earlier = {client: set(client.acknowledged) for client in clients}
        fault = f"{','.join(names)}:error={error}:when={first}+{step}"
        disk, calls = traced.run(fault, work, checkpoint=messages > 0)
        covered |= strace.failed(calls, names)
        touched |= {call.file for call in calls if call.injected}
        for client in clients:
            client.assert_stored(server.database, client.acknowledged)
            keys = [key for key in client.acknowledged if key not in earlier[client]]
            assert_survives_power_cuts(disk, calls, client, keys, tmp_path / "after power cut", every=10)
    assert {number for first in starts for number in range(first, LAST + 1, step)} <= covered
    files = {str(server.database), str(traced.log)} if messages else {str(traced.log)}
    assert touched >= files, "both commits and checkpoints are to fail"
    for (_, before), (failures, after) in itertools.pairwise(told):
        assert failures > 0 or after == before, "a failed commit was not counted"
    assert [client.refused > 0 for client in clients] == [messages > 0, trips > 0]
    server.start()
    refused = author.refused, passenger.refused
    author.write(attempts=1)
    passenger.ride(trips=1)
    assert (author.refused, passenger.refused) == refused


def test_a_disk_that_stays_broken_turns_readiness_red(traced):
    server, author = traced.server, Author(traced.server)

    def work():
        author.write(attempts=60)
        assert author.refused, "no sync was made to fail"
        assert server.http.get("/readyz").status_code == 503
        assert server.metric(FAILED_COMMITS) >= author.refused
        assert author.user.get(f"/api/conversations/{author.conversation_id}/messages/").status_code == 200
        assert server.notify(user_id=author.user.id, **BODY).status_code == 503
        assert author.user.post("/api/orders/", order_body()).status_code == 503

    traced.run(f"{','.join(strace.SYNCS)}:error=EIO:when=30+", work)
    assert 0 < len(author.acknowledged) < 30
    assert author.refused > 30
    author.assert_stored(server.database, author.acknowledged)
    server.start()
    author.write(attempts=1)
    author.assert_stored(server.database, author.acknowledged)


def test_a_disk_that_is_broken_for_a_while(traced):
    """An order that nobody could be asked for meanwhile is offered as soon as it can be, without anybody's doing."""
    server = traced.server
    passenger = Passenger(server)

    def work():
        order = place_order(passenger.rider)
        wait_until(lambda: server.notify(user_id=passenger.rider.id, **BODY).status_code == 503, "broken", interval=0)
        socket = open_driver_socket(passenger.driver)
        wait_until(lambda: server.http.get("/readyz").status_code == 503, "not ready")
        assert socket.until("new_order", timeout=30)["order"]["id"] == order["id"]
        wait_until(server.is_ready, "ready again", 30)
        failures = server.metric(FAILED_COMMITS)
        assert failures > 1
        assert act(passenger.driver, order["id"], "decline").status_code == 200
        passenger.ride(trips=2)
        assert server.metric(FAILED_COMMITS) == failures

    traced.run(f"{','.join(strace.SYNCS)}:error=EIO:when=20..35", work)
    passenger.assert_stored(server.database, passenger.acknowledged)
    server.start()


@pytest.fixture
def small_disk(tmp_path):
    """Starts a server with a disk of 4 MiB for the database, and gives it with a file that can fill the disk."""
    data = tmp_path / "data"
    data.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", data],
                             capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.strip()}")
    started = []

    def start(**env):
        started.append(Server(tmp_path, MESSAGE_RATE=0, **env))
        return started[-1].start(), data / "filler"

    try:
        yield start
        for server in started:
            server.finish()
    finally:
        for server in started:
            server.kill()
        subprocess.run(["umount", "--lazy", data], check=True)


def test_a_full_disk_refuses_writes_serves_reads_and_recovers(small_disk):
    server, filler = small_disk()
    author = Author(server)
    socket, live = enter(author.user, author.conversation_id), enter(author.other, author.conversation_id)
    bell = listen(author.other)
    assert author.send(socket, "while there is room")
    assert server.metric(FAILED_COMMITS) == 0
    fill(filler)
    texts = (f"text {number:05}." for number in range(1000))
    wait_until(lambda: not author.send(socket, next(texts)), "a message is refused", interval=0)
    assert server.notify(user_id=author.other.id, **BODY).status_code == 503
    assert server.http.get("/readyz").status_code == 503
    assert server.metric(FAILED_COMMITS) > 0

    history = author.user.get(f"/api/conversations/{author.conversation_id}/messages/")
    assert len(history.json()["results"]) == len(author.acknowledged)
    assert [message["message"] for message in live.so_far()] == list(author.acknowledged)
    socket.send({"type": "typing", "is_typing": True})
    assert live.expect("typing")["is_typing"] is True
    late = author.other.connect(f"/ws/chat/{author.conversation_id}/?since=0")
    assert len(late.collect_until("resumed")) == len(author.acknowledged) + 2

    filler.unlink()
    assert author.send(socket, "there is room again")
    for reader in (live, late):
        assert reader.until("chat_message")["message"] == "there is room again"
    assert server.notify(user_id=author.other.id, **BODY).status_code == 201
    assert len([each for each in bell.so_far() if each["type"] == "notification"]) == len(author.acknowledged) + 1
    wait_until(server.is_ready, "ready again")
    failures = server.metric(FAILED_COMMITS)
    assert author.send(socket, "and it stays")
    assert server.metric(FAILED_COMMITS) == failures
    server.kill()
    author.assert_stored(server.database, author.acknowledged)
    server.start()


def fill_until_refused(filler, driver):
    """Until not even a position can be stored."""
    fill(filler)
    body = {"latitude": PICKUP[0], "longitude": PICKUP[1]}
    wait_until(lambda: driver.put("/api/driver/location/", body).status_code == 503, "a write is refused", interval=0)


def stored_positions(server) -> set[tuple]:
    return {tuple(row) for row in server.rows(db.POSITIONS)}


def test_dispatch_on_a_full_disk(small_disk):
    """Nothing is acknowledged, sockets and positions go on, no offer is lost, and all of it is made up for."""
    server, filler = small_disk()
    passenger, busy, on_trip, trip = accepted_order(server)
    tracking = passenger.connect(f"/ws/order/{trip['id']}/tracking/")
    tracking.expect("connection_established")
    asked, offers = online_driver(server, at=PICKUP)
    rider, nobodys = server.user(), place_order(server.user(), latitude_from=ELSEWHERE[0], longitude_from=ELSEWHERE[1])
    offered = place_order(rider)
    offers.until("new_order")
    late = server.driver()
    fill_until_refused(filler, asked)

    assert server.http.get("/readyz").status_code == 503
    assert rider.post("/api/orders/", order_body()).status_code == 503
    assert act(asked, offered["id"], "accept").status_code == 503
    offers.send({"type": "accept_order", "order_id": offered["id"]})
    assert offers.expect("error")["code"] == "unavailable"
    assert order_status(rider, offered["id"]) == "pending"
    on_trip.send({"type": "location", "latitude": 41.4, "longitude": 69.3})
    wait_until(lambda: tracking.until("driver_location_update")["latitude"] == "41.400000", "the rider sees him move")
    newcomer = late.connect("/ws/driver/orders/")
    newcomer.send({"type": "location", "latitude": ELSEWHERE[0], "longitude": ELSEWHERE[1]})
    assert [message["type"] for message in newcomer.so_far()] == ["connection_established", "initial_orders"]
    failures = server.metric(FAILED_COMMITS)
    wait_until(lambda: server.metric(FAILED_COMMITS) > failures, "the offer to the newcomer fails again and again")
    wait_until(lambda: "positions could not be stored" in server.logs(), "positions cannot be stored")

    filler.unlink()
    assert newcomer.until("new_order", timeout=10)["order"]["id"] == nobodys["id"]
    assert act(asked, offered["id"], "accept").status_code == 200
    assert offers.expect("order_accepted")["order"]["id"] == offered["id"]
    wait_until(server.is_ready, "ready again")
    told = {(busy.id, 41_400_000, 69_300_000), (late.id, *(round(degrees * 1e6) for degrees in ELSEWHERE))}
    wait_until(lambda: told <= stored_positions(server), "positions told on the full disk are stored", 15)
    server.kill()
    db.assert_consistent(server.database)
    server.start()


def test_a_delivery_on_a_full_disk(small_disk):
    """An offer that the device has must not be withdrawn as undelivered: it is asked for its proof again."""
    server, filler = small_disk()
    driver, raw = raw_driver(server, at=PICKUP)
    with raw:
        order = place_order(server.user())
        raw.until("new_order")

        def prove():
            opcode, payload = raw.receive_frame()
            assert opcode == PING
            raw.send_frame(PONG, payload)

        fill_until_refused(filler, driver)
        prove()
        wait_until(lambda: "a delivery could not be stored" in server.logs(), "the delivery cannot be stored")
        filler.unlink()
        prove()
        wait_until(lambda: "delivered" in driver_side_events(server, order["id"]), "the delivery is stored")


def test_an_offer_that_runs_out_on_a_full_disk(small_disk):
    """It cannot be ended while nothing can be stored; then it is, once, and the next driver is asked."""
    server, filler = small_disk(ORDER_OFFER_TIMEOUT=3)
    first, offers = online_driver(server)
    order = place_order(server.user())
    offers.until("new_order")
    second, others = online_driver(server)
    fill_until_refused(filler, second)
    wait_until(lambda: server.rows(db.LIVE_OVERDUE, time.time_ns() // 1000), "the offer is overdue")
    assert act(first, order["id"], "accept").status_code in (409, 503)
    assert offers.so_far() == others.so_far() == []
    filler.unlink()
    assert offers.expect("order_timeout")["order_id"] == order["id"]
    assert others.expect("new_order")["order"]["id"] == order["id"]
    assert offers.so_far() == []
    counters = ("holodrive_offers_created_total", EXPIRED_OFFERS)
    # What is told is counted right after it.
    wait_until(lambda: tuple(map(server.metric, counters)) == (2, 1), "what was tried in vain is not counted")
    server.kill()
    db.assert_consistent(server.database)
    server.start()
