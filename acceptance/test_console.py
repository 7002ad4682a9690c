"""The console at `/`, in Chromium: what a rider, a driver and staff see and do there."""

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from orders import FARTHER, NEAR, accepted_order, act, get_order, online_driver, place_order
from users import PASSWORD

ORDERS = "document.querySelector('#orders')"
STATUS = f"{ORDERS}.querySelector('.order')?.dataset.status"
PIN = f"{ORDERS}.querySelector('.pin strong')?.textContent"
PROBLEM = f"{ORDERS}.querySelector('.pin-form [role=alert]')?.textContent ?? ''"
DRIVERS = f"[...{ORDERS}.querySelectorAll('.explanation li')].map((each) => each.textContent)"
IS_TYPING_PIN = "document.activeElement.name === 'pin'"


@pytest.fixture
def start(start_server):
    """Starts servers whose own pages may log in."""
    return lambda **options: start_server(ALLOWED_ORIGINS="", **options)


@pytest.fixture
def console(chromium):
    """Opens the console and logs in: `console(server, user)`. Of two users, one is at another `host`, with cookies of its own."""
    pages = []

    def open(server, user, host="127.0.0.1"):
        pages.append(chromium.page())
        page = pages[-1]
        page.visit(f"http://{host}:{server.port}/")
        page.wait_for("!document.querySelector('#login').hidden")
        page.evaluate(f"document.querySelector('[name=username]').value = {json.dumps(user.username)}")
        page.evaluate("document.querySelector('[name=password]').focus()")
        page.type(PASSWORD)
        page.wait_for("!document.querySelector('#console').hidden")
        page.wait_for("document.querySelector('#connection').dataset.connected === 'true'")
        return page

    yield open
    for page in pages:
        page.close()


def press(page, label: str):
    """A button by what it is called, for the eye or for a screen reader."""
    is_it = f"[each.textContent, each.ariaLabel].includes({json.dumps(label)})"
    button = f"[...document.querySelectorAll('button')].find((each) => {is_it})"
    # Found and pressed in one step: the page may draw it anew at any time.
    page.wait_for(f"(() => {{ const button = {button}; button?.click(); return !!button; }})()")


def other(pin: str) -> str:
    return f"{(int(pin) + 1) % 10_000:04}"


def arrived_order(server):
    rider, driver, _, order = accepted_order(server)
    assert act(driver, order["id"], "arrive").status_code == 200
    return rider, driver, order


def test_the_driver_starts_with_the_pin_that_the_rider_sees(start, console):
    server = start(ORDER_START_PIN="true")
    rider, driver, order = arrived_order(server)
    riders, drivers = console(server, rider), console(server, driver, host="localhost")
    riders.wait_for(PIN)
    pin = riders.evaluate(PIN)
    assert pin == get_order(rider, order["id"])["pin"]
    press(drivers, "Start the trip")
    drivers.wait_for(IS_TYPING_PIN)
    assert "Ask the rider" in drivers.evaluate(PROBLEM)
    drivers.type(other(pin))
    drivers.wait_for(f"({PROBLEM}).includes('not the PIN that the rider was shown. 4 tries are left.')")
    drivers.wait_for(IS_TYPING_PIN)
    drivers.type(pin)
    drivers.wait_for(f"{STATUS} === 'in_progress'")
    riders.wait_for(f"{STATUS} === 'in_progress' && {PIN} === undefined")
    press(drivers, "Complete")
    riders.wait_for(f"{STATUS} === 'completed'")


def test_a_driver_who_guesses_is_told_to_wait(start, console):
    server = start(ORDER_START_PIN="true")
    rider, driver, order = arrived_order(server)
    wrong = other(get_order(rider, order["id"])["pin"])
    for _ in range(4):
        driver.post(f"/api/driver/orders/{order['id']}/start/", {"pin": wrong})
    page = console(server, driver)
    press(page, "Start the trip")
    page.wait_for(IS_TYPING_PIN)
    page.type(wrong)
    page.wait_for(f"({PROBLEM}).includes('No try is left')")
    page.type(wrong)
    page.wait_for(f"({PROBLEM}).includes('Another one may be tried in 10 min.')")
    assert page.evaluate(STATUS) == "arrived"


def test_what_is_being_typed_outlives_a_reconnect(start, console):
    server = start(ORDER_START_PIN="true")
    _, driver, order = arrived_order(server)
    page = console(server, driver)
    press(page, "Start the trip")
    page.wait_for(IS_TYPING_PIN)
    page.command("Input.insertText", text="04")
    driver.move_to(*FARTHER)
    page.evaluate(f"window.card = {ORDERS}.querySelector('.order'); true")
    server.terminate()
    server.start()
    page.wait_for("!window.card.isConnected", 30)
    assert page.evaluate(IS_TYPING_PIN) and page.evaluate("document.activeElement.value") == "04"


def test_without_the_setting_nobody_is_asked_for_a_pin(start, console):
    server = start()
    _, driver, _ = arrived_order(server)
    page = console(server, driver)
    press(page, "Start the trip")
    page.wait_for(f"{STATUS} === 'in_progress'")


def test_a_rider_orders_for_later_and_for_several(start, console):
    server = start()
    rider = server.user()
    page = console(server, rider)
    page.command("Emulation.setTimezoneOverride", timezoneId="Asia/Tashkent")
    at = (datetime.now(ZoneInfo("Asia/Tashkent")) + timedelta(days=2)).replace(second=0, microsecond=0)
    page.evaluate(f"""(() => {{
        const fields = document.querySelector('#orders form').elements;
        fields.pickup_at.value = {json.dumps(at.strftime("%Y-%m-%dT%H:%M"))};
        fields.seats.value = '4';
        fields.vehicle_class.value = 'comfort';
    }})()""")
    press(page, "Order a ride")
    page.wait_for(f"{STATUS} === 'searching'")
    [order] = rider.get("/api/orders/").json()["results"]
    assert (order["vehicle_class"], order["seats"]) == ("comfort", 4)
    assert datetime.fromisoformat(order["pickup_at"]) == at
    wishes = page.evaluate(f"{ORDERS}.querySelector('.wishes').textContent")
    assert "comfort" in wishes and "4 seats" in wishes and "Pickup" in wishes
    assert page.evaluate("document.querySelector('[name=pickup_at]').value") == ""


def test_staff_see_who_comes_into_question_offer_an_order_and_take_it_back(start, console):
    server = start(DISPATCH_MODE="manual")
    (near, socket), (far, _) = online_driver(server, NEAR), online_driver(server, FARTHER)
    rider = server.user()
    order = place_order(rider)
    page = console(server, server.staff())
    press(page, f"Drivers {order['order_code']}")
    page.wait_for(f"{DRIVERS}.length === 2")
    first, second = page.evaluate(DRIVERS)
    assert f"driver {near.id}" in first and "can be asked" in first and f"driver {far.id}" in second
    press(page, f"Offer to driver {near.id}")
    socket.until("new_order")
    page.wait_for(f"{DRIVERS}[0]?.includes('has an offer')")
    assert act(near, order["id"], "accept").status_code == 200
    press(page, f"Take back {order['order_code']}")
    page.wait_for(f"{STATUS} === 'searching'")
    page.wait_for(f"{DRIVERS}[0]?.includes('gave it back')")
    assert get_order(rider, order["id"])["driver_id"] is None


def test_staff_see_afterwards_who_came_into_question(start, console):
    server = start()
    _, driver, _, order = accepted_order(server)
    page = console(server, server.staff())
    press(page, f"Drivers {order['order_code']}")
    page.wait_for(f"{DRIVERS}.length === 1")
    [line] = page.evaluate(DRIVERS)
    assert f"driver {driver.id}" in line and "was asked" in line
