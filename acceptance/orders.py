"""Orders in Tashkent, and what the documents say about their shape."""

import re

# About 1.1 km for each hundredth of a degree of latitude.
PICKUP = (41.311081, 69.240562)
NEAR = (41.316081, 69.240562)
FARTHER = (41.331081, 69.240562)
OUT_OF_RADIUS = (41.511081, 69.240562)

SPEC_FIELDS = {
    "id", "order_code", "status", "order_type", "created_at", "address_from", "address_to",
    "latitude_from", "longitude_from", "latitude_to", "longitude_to", "distance_to_pickup_km",
}
ISO_WITH_OFFSET = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00$")


def order_body(**changes) -> dict:
    return {
        "address_from": "Amir Temur 1", "address_to": "Navoiy 30",
        "latitude_from": PICKUP[0], "longitude_from": PICKUP[1],
        "latitude_to": "41.299496", "longitude_to": "69.240074", **changes,
    }


def place_order(rider, **changes) -> dict:
    response = rider.post("/api/orders/", order_body(**changes))
    assert response.status_code == 201, response.text
    return response.json()


def order_status(user, order_id: int) -> str:
    return get_order(user, order_id)["status"]


def get_order(user, order_id: int) -> dict:
    response = user.get(f"/api/orders/{order_id}/")
    assert response.status_code == 200, response.text
    return response.json()


def act(driver, order_id: int, action: str):
    return driver.post(f"/api/driver/orders/{order_id}/{action}/")


def online_driver(server, at=NEAR, **fields):
    """A driver with a position and an open driver socket, past its first two messages."""
    driver = server.driver(at=at, **fields)
    return driver, open_driver_socket(driver)


def open_driver_socket(driver):
    socket = driver.connect("/ws/driver/orders/")
    socket.expect("connection_established")
    socket.expect("initial_orders")
    return socket


def accepted_order(server):
    """(rider, driver, the driver's socket, the order) where the driver has accepted the order."""
    rider = server.user()
    driver, socket = online_driver(server)
    order = place_order(rider)
    socket.until("new_order")
    assert act(driver, order["id"], "accept").status_code == 200
    socket.until("order_accepted")
    return rider, driver, socket, order


def assert_order_shape(order: dict):
    """The fields of `new_order.order`, with the types and formats of the documents."""
    assert SPEC_FIELDS <= order.keys(), SPEC_FIELDS - order.keys()
    assert type(order["id"]) is int
    assert order["order_code"] == f"ORD-{order['id']:06d}"
    assert ISO_WITH_OFFSET.match(order["created_at"]), order["created_at"]
    for name in ("latitude_from", "longitude_from", "latitude_to", "longitude_to"):
        assert re.fullmatch(r"-?\d{1,3}\.\d{6}", order[name]), (name, order[name])
    distance = order["distance_to_pickup_km"]
    assert distance is None or round(distance, 2) == distance


def assert_offer_shape(order: dict, timeout: float = 300):
    assert_order_shape(order)
    assert order["status"] == "pending"
    assert re.search(r"(Z|[+-]\d\d:\d\d)$", order["expires_at"]), order["expires_at"]
    assert 0 < order["remaining_ms"] <= timeout * 1000
