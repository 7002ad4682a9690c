"""`/ws/rider/orders/` and `/ws/order/{order_id}/tracking/`."""

import itertools
import re
from datetime import datetime, timedelta

from holodrive import wait_until
from orders import NEAR, accepted_order, act, assert_order_shape, online_driver, place_order


def enter(user, path: str):
    socket = user.connect(path)
    return socket, socket.expect("connection_established")


def test_established_then_open_orders(start_server):
    server = start_server()
    rider = server.user()
    order = place_order(rider)
    cancelled = place_order(rider)
    assert rider.post(f"/api/orders/{cancelled['id']}/cancel/").is_success
    socket, established = enter(rider, "/ws/rider/orders/")
    assert established == {
        "type": "connection_established", "message": "Connected to rider orders", "rider_id": rider.id,
    }
    initial = socket.expect("initial_orders")
    assert [each["id"] for each in initial["orders"]] == [order["id"]]
    assert_order_shape(initial["orders"][0])


def test_each_step_is_told(start_server):
    server = start_server()
    rider = server.user()
    socket, _ = enter(rider, "/ws/rider/orders/")
    socket.expect("initial_orders")
    driver, offers = online_driver(server)
    order = place_order(rider)
    offers.until("new_order")
    for action in ("accept", "arrive", "start", "complete"):
        assert act(driver, order["id"], action).status_code == 200
    statuses = []
    while "completed" not in statuses:
        message = socket.expect("rider_order_updated")
        assert message["order"]["id"] == order["id"]
        assert_order_shape(message["order"])
        statuses.append(message["order"]["status"])
    path = [status for status in statuses if status not in ("searching", "pending")]
    assert path == ["accepted", "arrived", "in_progress", "completed"]
    assert "pending" in statuses


def test_other_riders_hear_nothing(start_server):
    server = start_server()
    socket, _ = enter(server.user(), "/ws/rider/orders/")
    assert socket.expect("initial_orders")["orders"] == []
    rider = server.user()
    own, _ = enter(rider, "/ws/rider/orders/")
    own.expect("initial_orders")
    order = place_order(rider)
    assert rider.post(f"/api/orders/{order['id']}/cancel/").is_success
    while own.expect("rider_order_updated")["order"]["status"] != "cancelled":
        pass
    assert socket.so_far() == []


def test_tracking_tells_the_last_position_at_once_and_then_each_move(start_server):
    server = start_server()
    rider, driver, offers, order = accepted_order(server)
    socket, established = enter(rider, f"/ws/order/{order['id']}/tracking/")
    assert established == {
        "type": "connection_established", "message": "Connected to order tracking", "order_id": order["id"],
    }
    position = socket.expect("driver_location_update")
    assert (position["order_id"], position["latitude"], position["longitude"]) == (
        order["id"], f"{NEAR[0]:.6f}", f"{NEAR[1]:.6f}")
    assert re.search(r"(Z|[+-]\d\d:\d\d)$", position["at"])
    offers.send({"type": "location", "latitude": 41.312, "longitude": 69.241})
    moved = socket.expect("driver_location_update")
    assert (moved["latitude"], moved["longitude"]) == ("41.312000", "69.241000")


def test_tracking_is_told_at_most_once_a_second(start_server):
    server = start_server(MESSAGE_RATE=0)
    rider, _, offers, order = accepted_order(server)
    socket, _ = enter(rider, f"/ws/order/{order['id']}/tracking/")
    told = [socket.expect("driver_location_update")]
    steps = itertools.count()

    def drive():
        offers.send({"type": "location", "latitude": 41.312 + next(steps) / 10000, "longitude": 69.241})
        offers.so_far()
        told.extend(socket.so_far())
        return len(told) >= 4

    wait_until(drive, "three moves are told")
    moments = [datetime.fromisoformat(position["at"]) for position in told[1:]]
    assert all(later - earlier >= timedelta(seconds=1) for earlier, later in itertools.pairwise(moments))


def test_a_driver_who_stops_is_seen_where_he_stopped(start_server):
    server = start_server(MESSAGE_RATE=0)
    rider, _, offers, order = accepted_order(server)
    socket, _ = enter(rider, f"/ws/order/{order['id']}/tracking/")
    for step in range(20):
        offers.send({"type": "location", "latitude": 41.312 + step / 10000, "longitude": 69.241})
    while socket.expect("driver_location_update")["latitude"] != "41.313900":
        pass


def test_who_may_track(start_server):
    server = start_server()
    rider, driver, _, order = accepted_order(server)
    path = f"/ws/order/{order['id']}/tracking/"
    for allowed in (rider, driver, server.staff()):
        enter(allowed, path)
    for stranger in (server.user(), server.driver()):
        stranger.connect(path).refused(4403, "forbidden")
    rider.connect("/ws/order/987654/tracking/").refused(4403, "forbidden")


def test_tracking_ends_with_the_trip(start_server):
    server = start_server()
    rider, driver, offers, order = accepted_order(server)
    socket, _ = enter(rider, f"/ws/order/{order['id']}/tracking/")
    socket.expect("driver_location_update")
    for action in ("arrive", "start", "complete"):
        assert act(driver, order["id"], action).status_code == 200
    driver.move_to(41.2, 69.2)
    offers.so_far()
    wait_until(lambda: driver.get("/api/driver/orders/").json()["trip"] is None, "the trip is over")
    fresh, _ = enter(rider, f"/ws/order/{order['id']}/tracking/")
    assert "driver_location_update" not in fresh.kinds_so_far()
