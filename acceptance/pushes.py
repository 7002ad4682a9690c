"""Drivers whose apps sleep, freeze or are awake, and what orders' histories say of pushes to them."""

from orders import NEAR, place_order
from sockets import RawSocket

# Staff say who is offered what, and no offer is withdrawn because it did not reach its driver.
BY_HAND = {"DISPATCH_MODE": "manual", "ORDER_OFFER_UNREACHABLE_TIMEOUT": "0"}


def register(user, platform: str, token: str, **more) -> dict:
    response = user.put("/api/devices/", {"platform": platform, "token": token, **more})
    assert response.status_code == 200, response.text
    return response.json()


def devices(user) -> list[dict]:
    response = user.get("/api/devices/")
    assert response.status_code == 200 and response.json()["next"] is None, response.text
    return response.json()["results"]


def sleeping_driver(server, *tokens: tuple[str, str]):
    """A driver who is online without a socket; `tokens` are platforms and tokens of his devices."""
    driver = server.driver(at=NEAR)
    driver.set_status("online")
    for platform, token in tokens:
        register(driver, platform, token)
    return driver


def frozen_driver(server, *tokens: tuple[str, str]):
    """A driver whose phone keeps its socket open and answers nothing any more."""
    driver = sleeping_driver(server, *tokens)
    socket = RawSocket(server, f"/ws/driver/orders/?token={driver.token}")
    socket.until("initial_orders")
    return driver, socket


def offer(server, driver) -> dict:
    """A new order, offered to this driver."""
    order = place_order(server.user())
    response = server.staff().post(f"/api/orders/{order['id']}/assign/", {"driver_id": driver.id})
    assert response.status_code == 200, response.text
    return response.json()


def history(server, order: dict, user=None) -> list[dict]:
    """As this user sees it, or staff."""
    response = (user or server.staff()).get(f"/api/orders/{order['id']}/events/")
    assert response.status_code == 200, response.text
    return response.json()["results"]


def kinds(server, order: dict) -> list[str]:
    return [event["type"] for event in history(server, order)]


def event(server, order: dict, kind: str) -> dict | None:
    """The one entry of this type, or none yet."""
    found = [event for event in history(server, order) if event["type"] == kind]
    assert len(found) <= 1, found
    return found[0] if found else None
