"""Which offers are pushed, when, and how often: told to a back end by the hook `push`."""

import threading
import time
from datetime import datetime

import pytest

from back_end import BackEnd
from certificates import Authority
from fcm_server import Google
from holodrive import wait_until
from orders import act, assert_offer_shape, online_driver, place_order
from pushes import BY_HAND, event, frozen_driver, history, kinds, offer, sleeping_driver
from services import Answer


@pytest.fixture
def back_end():
    with_hooks = BackEnd()
    yield with_hooks
    with_hooks.stop()


@pytest.fixture
def start(start_server, back_end):
    return lambda **options: start_server(**{**BY_HAND, **back_end.settings(), **options})


def seconds(later: dict, earlier: dict) -> float:
    return (datetime.fromisoformat(later["at"]) - datetime.fromisoformat(earlier["at"])).total_seconds()


def test_a_driver_without_a_socket_is_told_at_once(start, back_end):
    server = start(PUSH_AFTER=60, ORDER_OFFER_TIMEOUT=120)
    driver = sleeping_driver(server)
    order = offer(server, driver)
    [push] = back_end.wait_for(1)
    assert set(push) - {"at"} == {"driver_id", "order", "offer_id", "expires_at", "ttl_seconds", "attempt"}
    assert (push["driver_id"], push["order"]["id"], push["attempt"]) == (driver.id, order["id"], 1)
    assert push["expires_at"] == push["order"]["expires_at"] == order["expires_at"]
    left = datetime.fromisoformat(push["expires_at"]).timestamp() - push["at"]
    assert left - 1 < push["ttl_seconds"] < 120
    assert_offer_shape(push["order"], 120)
    pushed = wait_until(lambda: event(server, order, "pushed"), "the push is in the history")
    offered = event(server, order, "offered")
    assert (pushed["driver_id"], pushed["offer_id"], pushed["way"]) == (driver.id, offered["offer_id"], "webhook")
    assert (pushed["attempts"], pushed["actor_id"]) == (1, None)
    # The app wakes up, connects, and finds it.
    socket = driver.connect("/ws/driver/orders/")
    assert [found["id"] for found in socket.until("initial_orders")["orders"]] == [order["id"]]
    wait_until(lambda: event(server, order, "delivered"), "his device has it")
    assert server.metric('holodrive_pushes_total{way="webhook",outcome="sent"}') == 1


def test_the_nearest_driver_of_the_dispatcher_is_told(start, back_end):
    server = start(DISPATCH_MODE="auto")
    driver = sleeping_driver(server)
    order = place_order(server.user())
    [push] = back_end.wait_for(1)
    assert (push["driver_id"], push["order"]["id"]) == (driver.id, order["id"])


def test_who_has_the_offer_is_not_told_and_a_frozen_phone_is_once(start, back_end):
    server = start(PUSH_AFTER=1)
    awake, _ = online_driver(server)
    frozen, _ = frozen_driver(server)
    here, there = offer(server, awake), offer(server, frozen)
    [push] = back_end.wait_for(1)
    assert (push["driver_id"], push["order"]["id"]) == (frozen.id, there["id"])
    pushed = wait_until(lambda: event(server, there, "pushed"), "the push is in the history")
    assert seconds(pushed, event(server, there, "offered")) >= 1
    # What becomes due later is pushed, and nothing else was meanwhile.
    last, _ = frozen_driver(server)
    offer(server, last)
    assert [push["driver_id"] for push in back_end.wait_for(2)] == [frozen.id, last.id]
    assert kinds(server, here)[-1] == "delivered"


def test_what_is_over_is_not_told(start, back_end):
    server = start(PUSH_AFTER=3)
    staff, last = server.staff(), frozen_driver(server)[0]
    endings = [
        lambda driver, order: act(driver, order["id"], "accept"),
        lambda driver, order: act(driver, order["id"], "decline"),
        lambda _, order: staff.post(f"/api/orders/{order['id']}/cancel/"),
        lambda _, order: staff.post(f"/api/orders/{order['id']}/assign/", {"driver_id": last.id}),
    ]
    orders = []
    for end in endings:
        driver, _ = frozen_driver(server)
        orders.append(offer(server, driver))
        assert end(driver, orders[-1]).status_code == 200
    [push] = back_end.wait_for(1)
    assert (push["driver_id"], push["order"]["id"]) == (last.id, orders[-1]["id"])
    assert [kind for order in orders[:3] for kind in kinds(server, order) if kind.startswith("push")] == []


def test_an_offer_that_expires_before_is_not_told(start, back_end):
    server = start(PUSH_AFTER=1, ORDER_OFFER_TIMEOUT=0.5)
    driver, _ = frozen_driver(server)
    order = offer(server, driver)
    due = event(server, order, "offered")
    is_due = lambda: seconds({"at": datetime.now().astimezone().isoformat()}, due) > 1  # noqa: E731
    wait_until(lambda: event(server, order, "offer_expired") and is_due(), "it would be due if it were live")
    last = sleeping_driver(server)
    offer(server, last)
    assert [push["driver_id"] for push in back_end.wait_for(1)] == [last.id]


def test_the_rider_sees_that_his_drivers_were_told_and_nothing_of_their_phones(start, back_end):
    server = start()
    back_end.deviate(Answer(404, {"code": "not_found", "detail": "No such phone."}))
    rider, staff = server.user(), server.staff()
    order = place_order(rider)
    for kind in ("push_failed", "pushed"):
        staff.post(f"/api/orders/{order['id']}/assign/", {"driver_id": sleeping_driver(server).id})
        told = wait_until(lambda: event(server, order, kind), "what came of it is in the history")
        [seen] = [entry for entry in history(server, order, rider) if entry["type"] == kind]
        assert seen == {name: told[name] for name in ("at", "type", "actor_id", "driver_id", "offer_id")}
        assert (told["way"], told["attempts"]) == ("webhook", 1)


def test_a_back_end_that_fails_is_asked_again_while_there_is_time(start, back_end):
    server = start(HOOKS_RETRIES=2)
    back_end.deviate(Answer(503), Answer(500))
    order = offer(server, sleeping_driver(server))
    [push] = back_end.wait_for(1)
    assert push["attempt"] == 3
    assert wait_until(lambda: event(server, order, "pushed"), "the push is in the history")["attempts"] == 3
    assert server.metric('holodrive_pushes_total{way="webhook",outcome="delayed"}') == 2


def test_the_ttl_is_what_is_left_when_its_turn_comes(start, back_end):
    server = start(ORDER_OFFER_TIMEOUT=60, HOOKS_TIMEOUT=20)
    hold = threading.Event()
    back_end.deviate(*[Answer(200, {}, hold=hold)] * 32)
    for _ in range(32):
        offer(server, sleeping_driver(server))
    back_end.wait_for_attempts(32)
    offer(server, sleeping_driver(server))
    begun = time.time()
    wait_until(lambda: time.time() > begun + 3, "it has waited")
    hold.set()
    [push] = back_end.wait_for(1)
    assert push["ttl_seconds"] <= datetime.fromisoformat(push["expires_at"]).timestamp() - push["at"] + 1


def test_a_back_end_that_refuses_has_the_last_word(start, back_end):
    server = start()
    back_end.deviate(Answer(404, {"code": "not_implemented", "detail": "No pushes here."}))
    order = offer(server, sleeping_driver(server))
    failed = wait_until(lambda: event(server, order, "push_failed"), "the refusal is in the history")
    assert (failed["way"], failed["reason"]) == ("webhook", "the back end refuses: No pushes here.")
    offer(server, sleeping_driver(server))
    assert back_end.wait_for(1)[0]["order"]["id"] != order["id"]
    assert server.metric('holodrive_pushes_total{way="webhook",outcome="failed"}') == 1


def test_a_driver_who_comes_while_the_back_end_is_away_is_not_told_any_more(start, back_end):
    server = start(HOOKS_RETRIES=0, ORDER_OFFER_TIMEOUT=20)
    back_end.deviate(*[Answer(503)] * 20)
    driver = sleeping_driver(server)
    order = offer(server, driver)
    back_end.wait_for_attempts(1)
    socket = driver.connect("/ws/driver/orders/")
    socket.until("initial_orders")
    failed = wait_until(lambda: event(server, order, "push_failed"), "the attempts in vain are in the history")
    assert failed["reason"] == "the back end does not answer"
    assert "delivered" in kinds(server, order) and back_end.accepted == []


def test_two_nodes_tell_once(start, back_end):
    first = start()
    second = start(database=first.database)
    drivers = [sleeping_driver(first) for _ in range(20)]
    orders = [offer((first, second)[number % 2], driver)["id"] for number, driver in enumerate(drivers)]
    told = back_end.wait_for(len(orders))
    last = sleeping_driver(first)
    offer(second, last)
    told = back_end.wait_for(len(orders) + 1)
    assert sorted(push["order"]["id"] for push in told[:-1]) == sorted(orders)
    assert told[-1]["driver_id"] == last.id


def test_without_a_device_the_history_says_so(start_server, tmp_path):
    authority = Authority(tmp_path)
    google = Google(authority)
    server = start_server(**BY_HAND, **google.settings(tmp_path), SSL_CERT_FILE=authority.file)
    order = offer(server, sleeping_driver(server))
    failed = wait_until(lambda: event(server, order, "push_failed"), "the failure is in the history")
    assert failed["reason"] == "no_device" and "way" not in failed
    google.stop()


def test_nothing_is_pushed_where_there_is_no_way(server):
    driver = server.driver()
    driver.set_status("online")
    order = offer(server, driver)
    assert server.rows("SELECT push_at FROM holodrive_offer WHERE order_id = ?", order["id"]) == [(None,)]
    assert [entry["type"] for entry in history(server, order)] == ["created", "offered"]
