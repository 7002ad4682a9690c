"""Whom the dispatcher asks, with each strategy, and what it says of it to staff."""

from datetime import UTC, datetime, timedelta

import pytest

from holodrive import wait_until
from orders import FARTHER, NEAR, OUT_OF_RADIUS, act, get_order, online_driver, open_driver_socket, place_order

FARTHEST = (41.361081, 69.240562)


def events(user, order_id: int) -> list[dict]:
    response = user.get(f"/api/orders/{order_id}/events/")
    assert response.status_code == 200, response.text
    return response.json()["results"]


def offered(user, order_id: int) -> list[dict]:
    return [event for event in events(user, order_id) if event["type"] == "offered"]


def skipped(considered: list[dict]) -> list[tuple]:
    return [(one["driver_id"], one["skipped"]) for one in considered]


def age(order: dict) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(order["created_at"])


# Explanations

def test_staff_see_who_was_considered_and_why_not_and_others_do_not(start_server):
    server = start_server()
    staff, rider, other = server.staff(), server.user(), server.user()
    busy, busy_socket = online_driver(server, NEAR)
    place_order(other)
    busy_socket.until("new_order")
    asked, socket = online_driver(server, FARTHER)
    order = place_order(rider)
    assert socket.until("new_order")["order"]["id"] == order["id"]
    entry, = offered(staff, order["id"])
    assert skipped(entry["considered"]) == [(busy.id, "busy"), (asked.id, None)]
    nearer, chosen = (one["distance_km"] for one in entry["considered"])
    assert nearer < chosen == round(entry["distance_to_pickup_km"], 2)
    entry, = offered(rider, order["id"])
    assert "considered" not in entry
    assert entry["driver_id"] == asked.id


def test_an_order_that_nobody_took_says_who_was_near(start_server):
    server = start_server(ORDER_SEARCH_TIMEOUT="2", DISPATCH_RADIUS_KM="15")
    staff, rider = server.staff(), server.user()
    far, _ = online_driver(server, OUT_OF_RADIUS)
    order = place_order(rider)
    wait_until(lambda: get_order(rider, order["id"])["status"] == "no_driver", "the search to end")
    last = events(staff, order["id"])[-1]
    assert (last["type"], skipped(last["considered"])) == ("no_driver", [(far.id, "too_far")])


def test_candidates_are_for_staff_and_back_ends(start_server):
    server = start_server(DISPATCH_MODE="manual")
    rider, staff = server.user(), server.staff()
    near, _ = online_driver(server, NEAR)
    farther, _ = online_driver(server, FARTHER)
    order = place_order(rider)
    path = f"/api/orders/{order['id']}/candidates/"
    answer = staff.get(path)
    assert answer.status_code == 200, answer.text
    assert skipped(answer.json()["results"]) == [(near.id, None), (farther.id, None)]
    assert rider.get(path).status_code == 403
    assert near.get(path).status_code == 403
    assert staff.get("/api/orders/999/candidates/").status_code == 404
    assert staff.post(f"/api/orders/{order['id']}/assign/", {"driver_id": farther.id}).status_code == 200
    assert skipped(staff.get(path).json()["results"]) == [(near.id, None), (farther.id, "busy")]
    assert act(farther, order["id"], "accept").status_code == 200
    refused = staff.get(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "invalid_transition")


# Strategies

def test_a_broadcast_reaches_several_at_once_and_one_has_it(start_server):
    server = start_server(DISPATCH_STRATEGY="broadcast", DISPATCH_BROADCAST_OFFERS="2")
    rider = server.user()
    drivers = [online_driver(server, at) for at in (NEAR, FARTHER, FARTHEST)]
    order = place_order(rider)
    for _, socket in drivers[:2]:
        assert socket.until("new_order")["order"]["id"] == order["id"]
    assert act(drivers[1][0], order["id"], "accept").status_code == 200
    drivers[1][1].until("order_accepted")
    assert drivers[0][1].until("order_timeout")["order_id"] == order["id"]
    late = act(drivers[0][0], order["id"], "accept")
    assert (late.status_code, late.json()["reason"]) == (409, "taken")
    assert not any(message["type"] == "new_order" for message in drivers[2][1].so_far())
    assert get_order(rider, order["id"])["driver_id"] == drivers[1][0].id


def test_a_broadcast_asks_the_next_when_one_declines(start_server):
    server = start_server(DISPATCH_STRATEGY="broadcast", DISPATCH_BROADCAST_OFFERS="2")
    rider = server.user()
    drivers = [online_driver(server, at) for at in (NEAR, FARTHER, FARTHEST)]
    order = place_order(rider)
    for _, socket in drivers[:2]:
        socket.until("new_order")
    assert act(drivers[0][0], order["id"], "decline").status_code == 200
    assert drivers[2][1].until("new_order")["order"]["id"] == order["id"]
    assert get_order(rider, order["id"])["status"] == "pending"


def test_a_batch_gives_each_order_the_driver_that_is_best_for_all(start_server):
    server = start_server(DISPATCH_STRATEGY="batch", DISPATCH_BATCH_INTERVAL="1.5")
    rider = server.user()
    west, west_socket = online_driver(server, at=(41.30, 69.240))
    east, east_socket = online_driver(server, at=(41.30, 69.260))
    between = place_order(rider, latitude_from=41.30, longitude_from=69.251)
    beyond = place_order(rider, latitude_from=41.30, longitude_from=69.270)
    assert west_socket.until("new_order")["order"]["id"] == between["id"], "by itself it is nearer to the other"
    assert east_socket.until("new_order")["order"]["id"] == beyond["id"]


# Who has waited for long

@pytest.mark.parametrize("age_weight, is_oldest_first", [("0", False), ("20000", True)])
def test_who_has_waited_for_longer_may_come_before_who_is_nearer(start_server, age_weight, is_oldest_first):
    server = start_server(DISPATCH_AGE_WEIGHT=age_weight, DISPATCH_START_RADIUS_KM="10")
    rider, driver = server.user(), server.driver(at=NEAR)
    far = place_order(rider, latitude_from=FARTHEST[0], longitude_from=FARTHEST[1])
    # At this weight five kilometres are fifteen milliseconds.
    wait_until(lambda: age(far) > timedelta(milliseconds=100), "the order to grow older")
    near = place_order(rider)
    socket = open_driver_socket(driver)
    assert socket.until("new_order")["order"]["id"] == (far if is_oldest_first else near)["id"]
