"""What riders may ask for, and how a trip starts: times of arrival, orders for later, vehicles, the PIN, and staff who take an
order away, or complete a trip."""

import http.server
import json
import re
import threading
from datetime import UTC, datetime, timedelta

import pytest

from holodrive import wait_until
from orders import FARTHER, NEAR, PICKUP, accepted_order, act, get_order, online_driver, order_body, place_order


def ahead(**time) -> str:
    return (datetime.now(UTC) + timedelta(**time)).isoformat()


def start(driver, order: dict, pin=None):
    body = {} if pin is None else {"pin": pin}
    return driver.post(f"/api/driver/orders/{order['id']}/start/", body)


# Times of arrival

def test_driver_and_rider_are_told_when_the_driver_arrives(start_server):
    server = start_server(ETA_SPEED_KMH="25", ETA_DETOUR_FACTOR="1.4")
    rider, (driver, socket) = server.user(), online_driver(server, NEAR)
    order = place_order(rider)
    assert "eta_seconds" not in order
    # 556 m as the crow flies, 778 m by road.
    assert abs(socket.until("new_order")["order"]["eta_seconds"] - 112) <= 1
    assert act(driver, order["id"], "accept").status_code == 200
    tracking = rider.connect(f"/ws/order/{order['id']}/tracking/")
    assert abs(tracking.until("driver_location_update")["eta_seconds"] - 112) <= 1
    socket.send({"type": "location", "latitude": PICKUP[0], "longitude": PICKUP[1]})
    wait_until(lambda: get_order(rider, order["id"])["eta_seconds"] == 0, "he is there")


class Roads(http.server.BaseHTTPRequestHandler):
    """A routing server that answers as OSRM does: every way takes twenty minutes."""

    asked = []

    def do_GET(self):
        self.asked.append(self.path)
        waypoint = {"hint": "", "distance": 1.5, "name": "", "location": [69.24, 41.31]}
        answer = {"code": "Ok", "durations": [[1200.4]], "sources": [waypoint], "destinations": [waypoint]}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_a_routing_service_knows_the_roads(start_server):
    routing = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Roads)
    threading.Thread(target=routing.serve_forever, daemon=True).start()
    try:
        server = start_server(ROUTING_URL=f"http://127.0.0.1:{routing.server_port}")
        rider, _, _, order = accepted_order(server)
        wait_until(lambda: get_order(rider, order["id"])["eta_seconds"] == 1200, "the roads are known")
        places = f"{NEAR[1]:.6f},{NEAR[0]:.6f};{PICKUP[1]:.6f},{PICKUP[0]:.6f}"
        assert Roads.asked[0] == f"/table/v1/driving/{places}?sources=0&destinations=1&annotations=duration"
        assert server.metric('holodrive_routing_requests_total{outcome="done"}') >= 1
    finally:
        routing.shutdown()


# Orders for later

def test_an_order_for_later_waits_for_its_time_also_over_a_crash(start_server):
    server = start_server(ORDER_SCHEDULE_LEAD="3600", DRIVER_STALE_AFTER="600")
    rider, (driver, socket) = server.user(), online_driver(server)
    later, sooner = ahead(hours=2), ahead(hours=1, seconds=6)
    waits, comes = place_order(rider, pickup_at=later), place_order(rider, pickup_at=sooner)
    assert datetime.fromisoformat(waits["pickup_at"]) == datetime.fromisoformat(later)
    assert waits["status"] == "searching"
    socket.close()
    server.kill()
    server.start()
    socket = driver.connect("/ws/driver/orders/")
    offer = socket.until("new_order", timeout=20)["order"]
    assert (offer["id"], offer["pickup_at"]) == (comes["id"], comes["pickup_at"])
    assert get_order(rider, waits["id"])["status"] == "searching"
    assert rider.post(f"/api/orders/{waits['id']}/cancel/").json()["status"] == "cancelled"


@pytest.mark.parametrize("pickup_at", ["soon", "2026-01-01", "2020-01-01T00:00:00Z", "9999-01-01T00:00:00Z", 5])
def test_a_pickup_at_no_possible_time_is_refused(server, pickup_at):
    response = server.user().post("/api/orders/", order_body(pickup_at=pickup_at))
    assert response.status_code == 400 and list(response.json()["errors"]) == ["pickup_at"], response.text


# Vehicles

def test_an_order_asks_for_a_vehicle(start_server):
    server = start_server()
    staff, rider = server.staff(), server.user()
    (_, nearest), (van, socket) = online_driver(server, NEAR), online_driver(server, FARTHER)
    path = f"/api/drivers/{van.id}/vehicle/"
    assert staff.get(path).json() == {"driver_id": van.id, "classes": [], "seats": None}
    vehicle = {"classes": ["van", "comfort"], "seats": 7}
    assert staff.put(path, vehicle).json() == {"driver_id": van.id, **vehicle}
    order = place_order(rider, vehicle_class="van", seats=6)
    assert (order["vehicle_class"], order["seats"]) == ("van", 6)
    assert socket.until("new_order")["order"]["id"] == order["id"]
    assert nearest.so_far() == []
    assert rider.put(path, vehicle).status_code == rider.get(path).status_code == 403
    assert staff.get(f"/api/drivers/{rider.id}/vehicle/").status_code == 404
    for wrong in ({"classes": "van", "seats": 1}, {"classes": [""], "seats": 0}, {}):
        assert set(staff.put(path, wrong).json()["errors"]) >= {"classes"}


# The PIN

def test_a_trip_starts_with_the_pin_that_only_the_rider_is_shown(start_server):
    server = start_server(ORDER_START_PIN="true")
    rider, driver, socket, order = accepted_order(server)
    pin = get_order(rider, order["id"])["pin"]
    assert re.fullmatch(r"\d{4}", pin)
    assert get_order(server.staff(), order["id"])["pin"] == pin
    assert "pin" not in get_order(driver, order["id"])
    assert act(driver, order["id"], "arrive").status_code == 200
    for missing in (start(driver, order), start(driver, order, "12a4"), start(driver, order, 1234)):
        assert missing.status_code == 400 and list(missing.json()["errors"]) == ["pin"], missing.text
    wrong = f"{(int(pin) + 1) % 10_000:04}"
    for left in (4, 3, 2, 1, 0):
        refused = start(driver, order, wrong)
        assert refused.status_code == 409
        assert (refused.json()["code"], refused.json()["attempts_left"]) == ("wrong_pin", left)
    late = start(driver, order, pin)
    assert late.status_code == 429 and 0 < int(late.headers["Retry-After"]) <= 601
    kinds = [event["type"] for event in server.staff().get(f"/api/orders/{order['id']}/events/").json()["results"]]
    assert kinds.count("wrong_pin") == 5
    server.execute("UPDATE holodrive_order_event SET at = at - 600000000 WHERE type = 'wrong_pin'")
    assert start(driver, order, pin).json()["status"] == "in_progress"
    assert "pin" not in get_order(rider, order["id"])
    assert not any("pin" in message.get("order", {}) for message in socket.so_far())
    assert f'"{pin}"' not in server.logs()


def test_without_the_setting_nobody_asks_for_a_pin(server):
    _, driver, _, order = accepted_order(server)
    assert act(driver, order["id"], "arrive").status_code == 200
    assert act(driver, order["id"], "start").status_code == 200


# Staff take an order away

def test_staff_take_an_order_away_from_its_driver(start_server):
    server = start_server()
    rider, first, socket, order = accepted_order(server)
    second, next_socket = online_driver(server, FARTHER)
    path = f"/api/orders/{order['id']}/unassign/"
    assert first.post(path).status_code == rider.post(path).status_code == 403
    assert server.with_key("POST", path).json()["driver_id"] is None
    assert socket.until("order_cancelled")["order_id"] == order["id"]
    assert next_socket.until("new_order")["order"]["id"] == order["id"]
    assert act(second, order["id"], "decline").status_code == 200
    assert socket.so_far() == []
    refused = server.staff().post(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "invalid_transition")
    assert server.staff().post(f"/api/orders/{order['id']}/assign/", {"driver_id": first.id}).status_code == 200


def test_staff_complete_a_trip_for_its_driver(start_server):
    server = start_server()
    rider, driver, socket, order = accepted_order(server)
    path = f"/api/orders/{order['id']}/complete/"
    assert server.staff().post(path).status_code == 409
    assert act(driver, order["id"], "arrive").status_code == 200
    assert act(driver, order["id"], "start").status_code == 200
    assert driver.post(path).status_code == rider.post(path).status_code == 403
    assert server.with_key("POST", path).json()["status"] == "completed"
    assert socket.until("order_cancelled")["order_id"] == order["id"]
    after = get_order(rider, order["id"])
    assert (after["status"], after["distance_to_pickup_km"], after.get("eta_seconds")) == ("completed", None, None)
    assert driver.get("/api/driver/orders/").json()["trip"] is None
