"""`/ws/driver/orders/`: offers, their ends, and what drivers, riders and staff can do about them."""

import time

import pytest

from holodrive import wait_until
from orders import (
    FARTHER, NEAR, OUT_OF_RADIUS, PICKUP, accepted_order, act, assert_offer_shape, assert_order_shape, get_order,
    online_driver, open_driver_socket, order_status, place_order,
)
from sockets import PING, PONG, RawSocket

TIMEOUT_MESSAGE = "Order expired or reassigned to another driver"
CLOSED_KINDS = {"order_accepted", "order_timeout", "order_declined", "order_cancelled", "order_cancelled_by_rider"}


def offered(socket) -> dict:
    return socket.until("new_order")["order"]


def assert_timeout(message: dict, order_id: int):
    assert message == {"type": "order_timeout", "order_id": order_id, "message": TIMEOUT_MESSAGE}


def assert_offer_expired(error: dict, order_id: int, *reasons: str):
    assert error["type"] == "error"
    assert error["code"] == "offer_expired"
    assert error["order_id"] == order_id
    assert error["reason"] in reasons, error


# Connecting

@pytest.mark.parametrize("path", ["/ws/driver/orders/", "/ws/driver/orders", "/ws/driver/order/", "/ws/driver/order"])
def test_established_then_initial_orders(server, path):
    driver = server.driver()
    socket = driver.connect(path)
    assert socket.receive() == {
        "type": "connection_established", "message": "Connected to driver orders", "driver_id": driver.id,
    }
    assert socket.receive() == {"type": "initial_orders", "orders": [], "message": "Current pending orders"}
    assert socket.so_far() == []


def test_only_drivers_may_connect(server):
    for user in (server.user(), server.staff(), server.user(groups=["Rider"])):
        user.connect("/ws/driver/orders/").refused(4403, "forbidden")


def test_the_group_of_drivers_is_a_setting(start_server):
    server = start_server(DRIVER_GROUP="Haydovchi")
    server.user(groups=["Haydovchi"]).connect("/ws/driver/orders/").expect("connection_established")
    server.user(groups=["Driver"]).connect("/ws/driver/orders/").refused(4403, "forbidden")


# Offering

def test_new_order_has_the_shape_of_the_document(start_server):
    server = start_server()
    driver, socket = online_driver(server)
    order = place_order(server.user())
    message = socket.expect("new_order")
    assert message["message"] == "New ride request available"
    assert set(message) == {"type", "order", "message"}
    offer = message["order"]
    assert_offer_shape(offer)
    assert offer["id"] == order["id"]
    assert (offer["order_type"], offer["address_from"], offer["address_to"]) == ("pickup", "Amir Temur 1", "Navoiy 30")
    assert (offer["latitude_from"], offer["longitude_from"]) == ("41.311081", "69.240562")
    assert (offer["latitude_to"], offer["longitude_to"]) == ("41.299496", "69.240074")
    assert offer["distance_to_pickup_km"] == 0.56


def test_initial_orders_lists_live_offers_and_nothing_comes_twice(start_server):
    server = start_server()
    driver, socket = online_driver(server)
    order = place_order(server.user())
    offered(socket)
    second = driver.connect("/ws/driver/orders/")
    second.expect("connection_established")
    initial = second.expect("initial_orders")
    assert [each["id"] for each in initial["orders"]] == [order["id"]]
    assert_offer_shape(initial["orders"][0])
    assert initial["message"] == "Current pending orders"
    assert second.so_far() == []
    assert socket.so_far() == []


def test_all_connections_of_the_driver_get_the_offer_once(start_server):
    server = start_server()
    driver, first = online_driver(server)
    second = open_driver_socket(driver)
    place_order(server.user())
    for socket in (first, second):
        socket.expect("new_order")
        assert socket.so_far() == []


def test_the_nearest_driver_is_asked(start_server):
    server = start_server()
    _, far = online_driver(server, at=FARTHER)
    _, near = online_driver(server, at=NEAR)
    _, outside = online_driver(server, at=OUT_OF_RADIUS)
    place_order(server.user())
    near.expect("new_order")
    assert far.so_far() == []
    assert outside.so_far() == []


def test_outside_the_radius_nobody_is_asked(start_server):
    server = start_server()
    _, socket = online_driver(server, at=OUT_OF_RADIUS)
    rider = server.user()
    order = place_order(rider)
    assert socket.so_far() == []
    assert order_status(rider, order["id"]) == "searching"


def test_a_late_driver_is_offered_the_waiting_order(start_server):
    server = start_server()
    rider = server.user()
    order = place_order(rider)
    assert order_status(rider, order["id"]) == "searching"
    driver = server.driver(at=NEAR)
    socket = driver.connect("/ws/driver/orders/")
    messages = [socket.expect("connection_established"), socket.expect("initial_orders")]
    seen = [each["id"] for each in messages[1]["orders"]]
    if not seen:
        seen = [offered(socket)["id"]]
    assert seen == [order["id"]]
    assert socket.so_far() == []


def test_a_driver_who_moves_into_the_radius_is_offered_the_waiting_order(start_server):
    server = start_server()
    driver, socket = online_driver(server, at=OUT_OF_RADIUS)
    order = place_order(server.user())
    assert socket.so_far() == []
    socket.send({"type": "location", "latitude": NEAR[0], "longitude": str(NEAR[1])})
    assert offered(socket)["id"] == order["id"]


def test_one_live_offer_for_each_driver(start_server):
    server = start_server()
    _, socket = online_driver(server)
    first, second = place_order(server.user()), place_order(server.user())
    assert offered(socket)["id"] == first["id"]
    assert socket.so_far() == []
    socket.send({"type": "decline_order", "order_id": first["id"]})
    socket.until("order_declined")
    assert offered(socket)["id"] == second["id"]


def test_offers_per_driver_is_a_setting(start_server):
    server = start_server(ORDER_OFFERS_PER_DRIVER=2)
    _, socket = online_driver(server)
    ids = {place_order(server.user())["id"] for _ in range(3)}
    seen = {offered(socket)["id"] for _ in range(2)}
    assert seen < ids
    assert socket.so_far() == []


def test_an_offline_driver_gets_no_offers_but_keeps_his_own(start_server):
    server = start_server()
    driver, socket = online_driver(server)
    order = place_order(server.user())
    offered(socket)
    driver.set_status("offline")
    assert socket.so_far() == []
    assert [each["id"] for each in driver.get("/api/driver/orders/").json()["results"]] == [order["id"]]
    socket.send({"type": "decline_order", "order_id": order["id"]})
    socket.until("order_declined")
    waiting = place_order(server.user())
    assert socket.so_far() == []
    driver.set_status("online")
    assert offered(socket)["id"] == waiting["id"]


def test_a_driver_online_by_status_needs_no_socket(start_server):
    server = start_server()
    driver = server.driver(at=NEAR)
    driver.set_status("online")
    order = place_order(server.user())
    poll = wait_until(lambda: driver.get("/api/driver/orders/").json()["results"], "an offer in the poll")
    assert poll[0]["id"] == order["id"]
    assert_offer_shape(poll[0])


def test_a_stale_driver_gets_no_offers(start_server):
    server = start_server(DRIVER_STALE_AFTER=0.3)
    driver = server.driver(at=NEAR)
    driver.set_status("online")
    stale_at = time.monotonic() + 0.6
    wait_until(lambda: time.monotonic() > stale_at, "the driver is stale")
    rider = server.user()
    order = place_order(rider)
    assert order_status(rider, order["id"]) == "searching"


def test_manual_dispatch_offers_nothing_by_itself(start_server):
    server = start_server(DISPATCH_MODE="manual", ORDER_OFFER_TIMEOUT=0.4)
    driver, socket = online_driver(server)
    staff, rider = server.staff(), server.user()
    order = place_order(rider)
    assert socket.so_far() == []
    assert order_status(rider, order["id"]) == "searching"
    assert staff.post(f"/api/orders/{order['id']}/assign/", {"driver_id": driver.id}).is_success
    assert offered(socket)["id"] == order["id"]
    assert_timeout(socket.until("order_timeout"), order["id"])
    assert order_status(rider, order["id"]) == "searching"
    assert socket.so_far() == []


# Deadlines

def test_a_missed_offer_goes_to_the_next_driver(start_server):
    server = start_server(ORDER_OFFER_TIMEOUT=0.5)
    _, near = online_driver(server, at=NEAR)
    _, far = online_driver(server, at=FARTHER)
    order = place_order(server.user())
    offer = near.expect("new_order")["order"]
    assert_offer_shape(offer, timeout=0.5)
    assert_timeout(near.expect("order_timeout"), order["id"])
    assert offered(far)["id"] == order["id"]
    assert "order_timeout" not in near.kinds_so_far()


def test_a_missed_offer_ends_without_anybody_connected(start_server):
    server = start_server(ORDER_OFFER_TIMEOUT=0.3, ORDER_OFFER_UNREACHABLE_TIMEOUT=0)
    driver = server.driver(at=NEAR)
    driver.set_status("online")
    rider = server.user()
    order = place_order(rider)
    wait_until(lambda: order_status(rider, order["id"]) == "pending", "offered")
    wait_until(lambda: order_status(rider, order["id"]) == "searching", "the deadline")
    types = [event["type"] for event in rider.get(f"/api/orders/{order['id']}/events/").json()["results"]]
    assert len(types) >= 3


def test_every_connection_hears_the_end_once(start_server):
    server = start_server(ORDER_OFFER_TIMEOUT=0.4)
    driver, first = online_driver(server)
    second = open_driver_socket(driver)
    order = place_order(server.user())
    for socket in (first, second):
        socket.expect("new_order")
        assert_timeout(socket.expect("order_timeout"), order["id"])
        driver.get("/api/driver/orders/")
        assert socket.so_far() == []


def test_a_driver_who_missed_is_asked_again_after_the_cool_down(start_server):
    server = start_server(ORDER_OFFER_TIMEOUT=0.3, ORDER_REOFFER_AFTER=0.5)
    _, socket = online_driver(server)
    order = place_order(server.user())
    for _ in range(2):
        assert offered(socket)["id"] == order["id"]
        assert_timeout(socket.expect("order_timeout"), order["id"])


def test_search_timeout_ends_as_no_driver(start_server):
    server = start_server(ORDER_SEARCH_TIMEOUT=0.5)
    rider = server.user()
    notifications = rider.connect("/ws/notifications/")
    order = place_order(rider)
    notification = notifications.until("notification")["notification"]
    assert notification["notification_type"] == "order_no_driver"
    assert (notification["related_object_type"], notification["related_object_id"]) == ("order", order["id"])
    assert order_status(rider, order["id"]) == "no_driver"
    _, late = online_driver(server)
    assert late.so_far() == []


def test_search_timeout_counts_in_manual_mode_too(start_server):
    server = start_server(ORDER_SEARCH_TIMEOUT=0.4, DISPATCH_MODE="manual")
    rider = server.user()
    order = place_order(rider)
    wait_until(lambda: order_status(rider, order["id"]) == "no_driver", "no_driver")


# Delivery

def raw_driver(server, at=NEAR):
    """A driver whose device receives but never answers a ping."""
    driver = server.driver(at=at)
    raw = RawSocket(server, f"/ws/driver/orders/?token={driver.token}")
    raw.until("initial_orders")
    return driver, raw


def test_an_offer_that_never_arrives_goes_to_the_next_driver(start_server):
    server = start_server(ORDER_OFFER_UNREACHABLE_TIMEOUT=0.4, HEARTBEAT_TIMEOUT=30)
    _, raw = raw_driver(server, at=NEAR)
    with raw:
        _, far = online_driver(server, at=FARTHER)
        order = place_order(server.user())
        assert raw.until("new_order")["order"]["id"] == order["id"]
        assert offered(far)["id"] == order["id"]
        assert_timeout(raw.until("order_timeout"), order["id"])


@pytest.mark.parametrize("proof", ["pong", "ack_order", "poll"])
def test_proofs_of_delivery_keep_the_offer(start_server, proof):
    server = start_server(ORDER_OFFER_UNREACHABLE_TIMEOUT=0.4, ORDER_OFFER_TIMEOUT=1.2, HEARTBEAT_TIMEOUT=30)
    driver, raw = raw_driver(server, at=NEAR)
    with raw:
        _, far = online_driver(server, at=FARTHER)
        order = place_order(server.user())
        raw.until("new_order")
        if proof == "pong":
            opcode, payload = raw.receive_frame()
            assert opcode == PING, "a ping is sent right after new_order"
            raw.send_frame(PONG, payload)
        elif proof == "ack_order":
            raw.send({"type": "ack_order", "order_id": order["id"]})
        else:
            assert driver.get("/api/driver/orders/").json()["results"]
        events = driver_side_events(server, order["id"])
        assert_timeout(raw.until("order_timeout"), order["id"])
        assert offered(far)["id"] == order["id"]
        ended = server.rows(
            "SELECT state, reason FROM holodrive_offer WHERE order_id = ? AND driver_id = ?", order["id"], driver.id)
        assert [tuple(row) for row in ended] == [("expired", None)], (events, [tuple(row) for row in ended])


def driver_side_events(server, order_id: int) -> list[str]:
    return [event["type"] for event in server.staff().get(f"/api/orders/{order_id}/events/").json()["results"]]


# Taking and refusing

def test_accept_over_the_socket(start_server):
    server = start_server()
    rider = server.user()
    driver, socket = online_driver(server)
    other = open_driver_socket(driver)
    order = place_order(rider)
    for each in (socket, other):
        each.expect("new_order")
    socket.send({"type": "accept_order", "order_id": order["id"]})
    for each in (socket, other):
        message = each.expect("order_accepted")
        assert_order_shape(message["order"])
        assert (message["order"]["id"], message["order"]["status"]) == (order["id"], "accepted")
        assert each.so_far() == []
    stored = get_order(rider, order["id"])
    assert (stored["status"], stored["driver_id"]) == ("accepted", driver.id)
    assert stored["conversation_id"] is not None


def test_accept_over_http_is_told_to_every_connection_once(start_server):
    server = start_server()
    driver, socket = online_driver(server)
    order = place_order(server.user())
    offered(socket)
    response = act(driver, order["id"], "accept")
    assert response.status_code == 200, response.text
    assert_order_shape(response.json())
    assert response.json()["status"] == "accepted"
    assert socket.expect("order_accepted")["order"]["id"] == order["id"]
    assert socket.so_far() == []


def test_accepting_again_gets_the_same_answer(start_server):
    _, driver, socket, order = accepted_order(start_server())
    assert act(driver, order["id"], "accept").json()["status"] == "accepted"
    socket.send({"type": "accept_order", "order_id": order["id"]})
    assert socket.until("order_accepted")["order"]["id"] == order["id"]


def test_accept_reason_not_offered(start_server):
    server = start_server()
    _, near = online_driver(server, at=NEAR)
    other, far = online_driver(server, at=FARTHER)
    order = place_order(server.user())
    offered(near)
    far.send({"type": "accept_order", "order_id": order["id"]})
    assert_offer_expired(far.expect("error"), order["id"], "not_offered")
    response = act(other, order["id"], "accept")
    assert (response.status_code, response.json()["code"], response.json()["reason"]) == (
        409, "offer_expired", "not_offered")


def test_accept_reason_expired(start_server):
    server = start_server(ORDER_OFFER_TIMEOUT=0.3)
    driver, socket = online_driver(server)
    order = place_order(server.user())
    offered(socket)
    socket.until("order_timeout")
    socket.send({"type": "accept_order", "order_id": order["id"]})
    assert_offer_expired(socket.until("error"), order["id"], "expired")
    response = act(driver, order["id"], "accept")
    assert (response.status_code, response.json()["reason"]) == (409, "expired")


def test_accept_reason_taken(start_server):
    server = start_server(ORDER_OFFER_TIMEOUT=0.4)
    loser, near = online_driver(server, at=NEAR)
    winner, far = online_driver(server, at=FARTHER)
    order = place_order(server.user())
    near.until("order_timeout")
    offered(far)
    assert act(winner, order["id"], "accept").status_code == 200
    near.send({"type": "accept_order", "order_id": order["id"]})
    assert_offer_expired(near.until("error"), order["id"], "taken")


def test_accept_reason_cancelled(start_server):
    server = start_server()
    rider = server.user()
    driver, socket = online_driver(server)
    order = place_order(rider)
    offered(socket)
    assert rider.post(f"/api/orders/{order['id']}/cancel/").is_success
    socket.until("order_cancelled_by_rider")
    socket.send({"type": "accept_order", "order_id": order["id"]})
    assert_offer_expired(socket.until("error"), order["id"], "cancelled")
    assert act(driver, order["id"], "accept").json()["reason"] == "cancelled"


def test_accept_reason_reassigned(start_server):
    server = start_server()
    staff = server.staff()
    _, near = online_driver(server, at=NEAR)
    other, far = online_driver(server, at=FARTHER)
    order = place_order(server.user())
    offered(near)
    assert staff.post(f"/api/orders/{order['id']}/assign/", {"driver_id": other.id}).is_success
    assert_timeout(near.expect("order_timeout"), order["id"])
    assert offered(far)["id"] == order["id"]
    near.send({"type": "accept_order", "order_id": order["id"]})
    assert_offer_expired(near.until("error"), order["id"], "reassigned")


def test_an_order_has_one_driver_however_many_accept(start_server):
    server = start_server()
    driver, first = online_driver(server)
    sockets = [first, *(open_driver_socket(driver) for _ in range(4))]
    order = place_order(server.user())
    for socket in sockets:
        socket.expect("new_order")
    for socket in sockets:
        socket.send({"type": "accept_order", "order_id": order["id"]})
    for socket in sockets:
        socket.until("order_accepted")
    accepted = server.rows(
        "SELECT count(*) FROM holodrive_offer WHERE order_id = ? AND state = 'accepted'", order["id"])
    assert accepted[0][0] == 1


def test_decline_over_the_socket(start_server):
    server = start_server()
    driver, socket = online_driver(server, at=NEAR)
    other_device = open_driver_socket(driver)
    _, far = online_driver(server, at=FARTHER)
    order = place_order(server.user())
    for each in (socket, other_device):
        each.expect("new_order")
    socket.send({"type": "decline_order", "order_id": order["id"]})
    declined = socket.expect("order_declined")
    assert declined["order_id"] == order["id"]
    assert_timeout(other_device.expect("order_timeout"), order["id"])
    assert offered(far)["id"] == order["id"]
    for each in (socket, other_device):
        assert each.so_far() == []


def test_decline_over_http(start_server):
    server = start_server()
    driver, socket = online_driver(server, at=NEAR)
    _, far = online_driver(server, at=FARTHER)
    order = place_order(server.user())
    offered(socket)
    assert act(driver, order["id"], "decline").is_success
    assert_timeout(socket.expect("order_timeout"), order["id"])
    assert offered(far)["id"] == order["id"]


def test_declining_what_was_never_offered(start_server):
    server = start_server()
    driver, socket = online_driver(server, at=OUT_OF_RADIUS)
    order = place_order(server.user())
    socket.send({"type": "decline_order", "order_id": order["id"]})
    assert socket.expect("error")["code"] in ("offer_expired", "not_found")
    assert act(driver, order["id"], "decline").status_code in (404, 409)


# Release, cancel, assign

def test_release_searches_again_and_never_asks_that_driver_again(start_server):
    server = start_server(ORDER_REOFFER_AFTER=0.2)
    rider, driver, socket, order = accepted_order(server)
    conversation_id = get_order(rider, order["id"])["conversation_id"]
    chat = driver.connect(f"/ws/chat/{conversation_id}/")
    chat.expect("connection_established")
    notifications = rider.connect("/ws/notifications/?since=0")
    notifications.until("resumed")
    assert act(driver, order["id"], "release").is_success
    assert notifications.until("notification")["notification"]["notification_type"] == "order_searching"
    chat.refused(4403, "forbidden", timeout=10)
    assert order_status(rider, order["id"]) == "searching"
    cooled_down = time.monotonic() + 0.6
    wait_until(lambda: time.monotonic() > cooled_down, "the cool-down is over")
    driver.move_to(*PICKUP)
    assert "new_order" not in socket.kinds_so_far()
    other, far = online_driver(server, at=FARTHER)
    assert offered(far)["id"] == order["id"]
    assert act(other, order["id"], "accept").status_code == 200
    assert get_order(rider, order["id"])["driver_id"] == other.id


def test_the_rider_cancels_a_live_offer(start_server):
    server = start_server()
    rider = server.user()
    _, socket = online_driver(server)
    order = place_order(rider)
    offered(socket)
    assert rider.post(f"/api/orders/{order['id']}/cancel/").is_success
    message = socket.expect("order_cancelled_by_rider")
    assert message["order_id"] == order["id"]
    assert isinstance(message["message"], str)
    assert socket.so_far() == []
    assert order_status(rider, order["id"]) == "cancelled"


def test_staff_cancels_a_live_offer(start_server):
    server = start_server()
    rider, staff = server.user(), server.staff()
    _, socket = online_driver(server)
    order = place_order(rider)
    offered(socket)
    assert staff.post(f"/api/orders/{order['id']}/cancel/").is_success
    assert socket.expect("order_cancelled")["order_id"] == order["id"]
    assert socket.so_far() == []


@pytest.mark.parametrize("who, kind", [("rider", "order_cancelled_by_rider"), ("staff", "order_cancelled")])
def test_a_cancelled_trip_is_told_the_same_way(start_server, who, kind):
    server = start_server()
    rider, driver, socket, order = accepted_order(server)
    canceller = rider if who == "rider" else server.staff()
    assert canceller.post(f"/api/orders/{order['id']}/cancel/").is_success
    assert socket.expect(kind)["order_id"] == order["id"]
    assert driver.get("/api/driver/orders/").json()["trip"] is None


def test_assign_ignores_radius_staleness_and_the_limit_of_offers(start_server):
    server = start_server()
    staff = server.staff()
    driver, socket = online_driver(server, at=NEAR)
    place_order(server.user())
    offered(socket)
    far_order = place_order(server.user(), latitude_from=50, longitude_from=50)
    response = staff.post(f"/api/orders/{far_order['id']}/assign/", {"driver_id": driver.id})
    assert response.is_success, response.text
    assert offered(socket)["id"] == far_order["id"]


def test_assign_overrides_the_cool_down(start_server):
    server = start_server()
    driver, socket = online_driver(server)
    order = place_order(server.user())
    offered(socket)
    socket.send({"type": "decline_order", "order_id": order["id"]})
    socket.until("order_declined")
    assert server.with_key("POST", f"/api/orders/{order['id']}/assign/", json={"driver_id": driver.id}).is_success
    assert offered(socket)["id"] == order["id"]


def test_assign_conflicts_with_a_taken_or_finished_order(start_server):
    server = start_server()
    staff = server.staff()
    rider, driver, _, order = accepted_order(server)
    other, _ = online_driver(server, at=FARTHER)
    assert staff.post(f"/api/orders/{order['id']}/assign/", {"driver_id": other.id}).status_code == 409
    assert rider.post(f"/api/orders/{order['id']}/cancel/").is_success
    assert staff.post(f"/api/orders/{order['id']}/assign/", {"driver_id": other.id}).status_code == 409


def test_assign_to_somebody_who_is_no_driver(start_server):
    server = start_server(DISPATCH_MODE="manual")
    order = place_order(server.user())
    response = server.staff().post(f"/api/orders/{order['id']}/assign/", {"driver_id": server.user().id})
    assert response.status_code in (400, 404), response.text


# The trip

def test_a_whole_trip(start_server):
    server = start_server()
    rider, driver, socket, order = accepted_order(server)
    notifications = rider.connect("/ws/notifications/?since=0")
    notifications.expect("connection_established")
    kinds = [message["notification"]["notification_type"] for message in notifications.collect_until("resumed")[:-1]]
    assert kinds == ["order_accepted"]
    steps = [("arrive", "arrived", "order_arrived"), ("start", "in_progress", "order_started"),
             ("complete", "completed", "order_completed")]
    for action, status, kind in steps:
        response = act(driver, order["id"], action)
        assert response.status_code == 200, response.text
        assert order_status(rider, order["id"]) == status
        notification = notifications.expect("notification")["notification"]
        assert notification["notification_type"] == kind
        assert (notification["related_object_type"], notification["related_object_id"]) == ("order", order["id"])
    assert driver.get("/api/driver/orders/").json()["trip"] is None
    next_order = place_order(server.user())
    assert offered(socket)["id"] == next_order["id"]


@pytest.mark.parametrize("action", ["start", "complete"])
def test_steps_come_in_order(start_server, action):
    _, driver, _, order = accepted_order(start_server())
    response = act(driver, order["id"], action)
    assert (response.status_code, response.json()["code"]) == (409, "invalid_transition")


def test_a_driver_on_a_trip_gets_no_offers(start_server):
    server = start_server()
    _, _, socket, _ = accepted_order(server)
    place_order(server.user())
    assert socket.so_far() == []


def test_active_ride_snapshot(start_server):
    server = start_server()
    _, driver, _, order = accepted_order(server)
    socket = driver.connect("/ws/driver/orders/")
    socket.expect("connection_established")
    assert socket.expect("initial_orders")["orders"] == []
    snapshot = socket.expect("active_ride_snapshot")
    assert_order_shape(snapshot["order"])
    assert (snapshot["order"]["id"], snapshot["order"]["status"]) == (order["id"], "accepted")
    assert driver.get("/api/driver/orders/").json()["trip"]["id"] == order["id"]


# The poll

def test_a_poll_ends_an_overdue_offer_there_and_then(start_server):
    """The sweep is not needed: whoever polls first sees the truth, and the sockets hear it once."""
    server = start_server(ORDER_OFFER_TIMEOUT=0.3)
    driver, socket = online_driver(server)
    place_order(server.user())
    offer = offered(socket)
    wait_until(lambda: not driver.get("/api/driver/orders/").json()["results"], "the offer is gone", interval=0.005)
    assert_timeout(socket.expect("order_timeout"), offer["id"])
    assert socket.so_far() == []


def test_remaining_time_counts_down(start_server):
    server = start_server()
    driver, socket = online_driver(server)
    place_order(server.user())
    first = offered(socket)["remaining_ms"]
    later = wait_until(
        lambda: next((order for order in driver.get("/api/driver/orders/").json()["results"]
                      if order["remaining_ms"] < first), None), "less time left")
    assert later["remaining_ms"] > 290_000


def test_unknown_distance_is_null(start_server):
    server = start_server(DISPATCH_MODE="manual")
    driver = server.driver()
    socket = open_driver_socket(driver)
    order = place_order(server.user())
    assert server.staff().post(f"/api/orders/{order['id']}/assign/", {"driver_id": driver.id}).is_success
    assert offered(socket)["distance_to_pickup_km"] is None


def test_history_tells_the_whole_story(start_server):
    server = start_server()
    rider, driver, _, order = accepted_order(server)
    for action in ("arrive", "start", "complete"):
        assert act(driver, order["id"], action).status_code == 200
    events = rider.get(f"/api/orders/{order['id']}/events/").json()["results"]
    assert all({"at", "type", "actor_id"} <= event.keys() for event in events)
    actors = {event["actor_id"] for event in events}
    assert {rider.id, driver.id} <= actors
    assert len(events) >= 6


def test_the_history_tells_who_had_a_socket_when_he_was_asked(start_server):
    server = start_server(ORDER_OFFER_UNREACHABLE_TIMEOUT=0.3)
    away = server.driver(at=NEAR)
    away.set_status("online")
    here, socket = online_driver(server, at=FARTHER)
    rider = server.user()
    order = place_order(rider)
    socket.until("new_order")
    events = rider.get(f"/api/orders/{order['id']}/events/").json()["results"]
    asked = [(event["driver_id"], event["connected"]) for event in events if event["type"] == "offered"]
    assert asked == [(away.id, False), (here.id, True)]
    revoked = [(event["driver_id"], event["reason"]) for event in events if event["type"] == "offer_revoked"]
    assert revoked == [(away.id, "unreachable")]
