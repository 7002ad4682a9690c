"""Debian's Chromium runs the JavaScript of the two documents word for word; only host and token are filled in."""

import json
import re
from pathlib import Path

import pytest

from orders import NEAR, assert_order_shape, place_order
from users import PASSWORD

SPEC = Path(__file__).parent / "spec"
ELIDED_TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."

RECORD = """
window.received = [];
{socket}.onmessage = (event) => window.received.push(JSON.parse(event.data));
"""
LISTS = """
window.calls = [];
function setOrdersList(orders) { window.calls.push(['setOrdersList', orders]); }
function addOrderToList(order) { window.calls.push(['addOrderToList', order]); }
function removeOrderFromList(id) { window.calls.push(['removeOrderFromList', id]); }
"""


def code(name: str, server, token: str = "") -> str:
    """The document's code with this server and token filled in."""
    text = (SPEC / name).read_text()
    text = text.replace("127.0.0.1:9000", server.authority).replace("wss://api.example.com", f"ws://{server.authority}")
    return text.replace(ELIDED_TOKEN, token).replace("YOUR_JWT_TOKEN", token)


def option(text: str, number: int) -> str:
    """The document shows alternatives one below the other; a program has one of them."""
    parts = re.split(r"(?m)^// Option (\d).*\n(const wsUrl = .*\n)", text)
    before, after = parts[0], parts[-1]
    chosen = {int(parts[i]): parts[i + 1] for i in range(1, len(parts) - 1, 3)}
    return before + chosen[number] + after


def page_with(*scripts: str) -> str:
    return "<!doctype html><title>app</title>" + "".join(f"<script>{script}</script>" for script in scripts)


@pytest.fixture
def page(chromium):
    tab = chromium.page()
    yield tab
    tab.evaluate("document.title")
    tab.close()


def received(page, count: int) -> list:
    page.wait_for(f"window.received.length >= {count}")
    return json.loads(page.evaluate("JSON.stringify(window.received)"))


def notify(server, user) -> None:
    assert server.notify(user_id=user.id, title="Salom", message="M", notification_type="t").status_code == 201


def established(user) -> dict:
    return {"type": "connection_established", "message": "Connected to notifications", "user_id": str(user.id)}


def test_admin_panel_on_the_same_host(start_server, page):
    server = start_server(ALLOWED_ORIGINS="")
    admin = server.staff()
    page.open(f"{server.url}/admin/", page_with())
    log_in(page, admin)
    page.open(f"{server.url}/admin/", page_with(code("admin_notifications.js", server) + RECORD.format(
        socket="notificationSocket")))
    assert received(page, 1) == [established(admin)]
    notify(server, admin)
    assert received(page, 2)[1]["notification"]["title"] == "Salom"


def log_in(page, user):
    body = json.dumps({"username": user.username, "password": PASSWORD})
    assert page.evaluate(
        "fetch('/api/session/', {method: 'POST', headers: {'Content-Type': 'application/json'},"
        f" body: {json.dumps(body)}}}).then((response) => response.ok)"
    ) is True


def test_admin_panel_on_another_port(start_server, page):
    """As with Django: the page comes from elsewhere, and `window.websocketUrl` names the server."""
    server = start_server(ALLOWED_ORIGINS="127.0.0.1")
    admin = server.staff()
    page.open(f"{server.url}/admin/", page_with())
    log_in(page, admin)
    page.open("http://127.0.0.1:8000/admin/", page_with(
        f"window.websocketUrl = '{server.authority}';",
        code("admin_notifications.js", server) + RECORD.format(socket="notificationSocket"),
    ))
    assert received(page, 1) == [established(admin)]
    notify(server, admin)
    assert received(page, 2)[1]["type"] == "notification"


@pytest.mark.parametrize("number", [1, 2, 3])
def test_mobile_notifications(server, page, number):
    rider = server.user()
    text = option(code("mobile_notifications.js", server, rider.token), number)
    page.open("http://good.example/", page_with(text + RECORD.format(socket="notificationSocket")))
    assert received(page, 1) == [established(rider)]
    notify(server, rider)
    notification = received(page, 2)[1]["notification"]
    page.evaluate(f"notificationSocket.send(JSON.stringify({{type: 'mark_as_read', notification_id: {notification['id']}}}))")
    assert received(page, 3)[2] == {"type": "notification_read", "notification_id": notification["id"]}


@pytest.mark.parametrize("number", [1, 2])
def test_mobile_chat(start_server, page, number):
    server = start_server()
    rider = server.user(first_name="Sobirjon", last_name="Bobojonov")
    conversation = rider.post("/api/conversations/", {"kind": "support"}).json()["id"]
    assert conversation == 1, "the document's code names conversation 1"
    text = option(code("mobile_chat.js", server, rider.token), number)
    page.open("http://good.example/", page_with(text + RECORD.format(socket="chatSocket")))
    assert received(page, 1) == [
        {"type": "connection_established", "message": "Connected to chat", "conversation_id": 1}]
    page.evaluate("chatSocket.send(JSON.stringify({type: 'chat_message', message: 'Hello, how can I help you?'}))")
    message = received(page, 2)[1]
    assert (message["message"], message["sender_id"], message["sender_name"], message["is_from_support"]) == (
        "Hello, how can I help you?", rider.id, "Sobirjon Bobojonov", False)


def test_driver_orders(start_server, page):
    server = start_server(ORDER_OFFER_TIMEOUT=1.5)
    driver = server.driver(at=NEAR)
    rider = server.user()
    page.open("http://good.example/", page_with(LISTS, code("driver_orders.js", server, driver.token)))
    page.wait_for("window.calls.length >= 1")
    order = place_order(rider)
    page.wait_for("window.calls.length >= 3")
    (first, initial), (second, added), (third, removed) = json.loads(page.evaluate("JSON.stringify(window.calls)"))
    assert (first, initial) == ("setOrdersList", [])
    assert (second, added["id"], added["status"]) == ("addOrderToList", order["id"], "pending")
    assert_order_shape(added)
    assert (third, removed) == ("removeOrderFromList", order["id"])


def test_driver_orders_lists_what_is_offered_already(start_server, page):
    server = start_server()
    driver = server.driver(at=NEAR)
    driver.set_status("online")
    order = place_order(server.user())
    page.open("http://good.example/", page_with(LISTS, code("driver_orders.js", server, driver.token)))
    page.wait_for("window.calls.length >= 1")
    name, argument = json.loads(page.evaluate("JSON.stringify(window.calls)"))[0]
    if argument == []:
        page.wait_for("window.calls.length >= 2")
        name, argument = "setOrdersList", [json.loads(page.evaluate("JSON.stringify(window.calls)"))[1][1]]
    assert name == "setOrdersList"
    assert [each["id"] for each in argument] == [order["id"]]
    assert_order_shape(argument[0])


def test_a_foreign_page_gets_nowhere(server, page):
    rider = server.user()
    text = option(code("mobile_notifications.js", server, rider.token), 1)
    page.open("http://evil.example/", page_with(
        text + "window.closeCode = 0; notificationSocket.onclose = (event) => { window.closeCode = event.code; };"))
    page.wait_for("window.closeCode")
    assert page.evaluate("window.closeCode") == 1006


def test_a_browser_learns_why_it_was_refused(server, page):
    page.open("http://good.example/", page_with(
        option(code("mobile_notifications.js", server, "garbage"), 1)
        + RECORD.format(socket="notificationSocket")
        + "window.closeCode = 0; notificationSocket.onclose = (event) => { window.closeCode = event.code; };"))
    page.wait_for("window.closeCode")
    assert page.evaluate("window.closeCode") == 4401
    assert received(page, 1)[0]["code"] == "unauthorized"
