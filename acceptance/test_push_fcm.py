"""Offers that are pushed by Firebase Cloud Messaging, and what becomes of them when Google is in a bad mood."""

import signal
import socket
import threading
import time
from datetime import datetime
from email.utils import formatdate

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from back_end import BackEnd
from certificates import Authority, pem
from fcm_server import PROJECT, Google, fcm_error
from holodrive import Server, free_port, wait_until
from orders import NEAR, online_driver, place_order
from pushes import BY_HAND, devices, event, kinds, offer, register, sleeping_driver
from services import Answer

QUOTA = {"error": {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED",
                   "details": [fcm_error("QUOTA_EXCEEDED")]}}
AWAY = {"error": {"code": 503, "message": "The service is currently unavailable.", "status": "UNAVAILABLE",
                  "details": [fcm_error("UNAVAILABLE")]}}


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def google(authority):
    both = Google(authority)
    yield both
    both.stop()


@pytest.fixture
def settings(google, authority, tmp_path):
    return {**BY_HAND, **google.settings(tmp_path), "SSL_CERT_FILE": authority.file}


@pytest.fixture
def start(start_server, settings):
    return lambda **options: start_server(**{**settings, **options})


def with_app(server, google):
    token = google.fcm.device()
    return sleeping_driver(server, ("fcm", token)), token


def assert_is_kept_secret(server, *secrets: str):
    texts = [server.logs()] + [details for (details,) in server.rows("SELECT details FROM holodrive_order_event")]
    for secret in secrets:
        assert not any(secret in text for text in texts)


def test_a_push_has_all_that_a_sleeping_app_needs(start, google):
    server = start(ORDER_OFFER_TIMEOUT=120, PUSH_AFTER=60)
    driver, token = with_app(server, google)
    order = offer(server, driver)
    [message] = google.fcm.wait_for(1)
    assert message["token"] == token
    offered = event(server, order, "offered")
    assert message["data"] == {
        "type": "new_order", "order_id": str(order["id"]), "order_code": order["order_code"],
        "offer_id": str(offered["offer_id"]), "expires_at": order["expires_at"],
    }
    android = message["android"]
    assert (android["priority"], android["collapse_key"]) == ("HIGH", f"order-{order['id']}")
    assert 100 <= int(android["ttl"].removesuffix("s")) < 120
    headers = message["apns"]["headers"]
    assert (headers["apns-priority"], headers["apns-push-type"]) == ("10", "alert")
    assert headers["apns-collapse-id"] == android["collapse_key"]
    assert 0 < int(headers["apns-expiration"]) - message["at"] <= 120
    assert message["apns"]["payload"]["aps"]["alert"]["body"] == "Amir Temur 1"
    pushed = wait_until(lambda: event(server, order, "pushed"), "the push is in the history")
    assert (pushed["way"], pushed["device_id"], pushed["attempts"]) == ("fcm", devices(driver)[0]["id"], 1)
    assert_is_kept_secret(server, token)


def test_one_access_token_serves_until_it_is_refused(start, google):
    server = start()
    driver, _ = with_app(server, google)
    for count in (1, 2, 3):
        offer(server, sleeping_driver(server, ("fcm", google.fcm.device())))
        google.fcm.wait_for(count)
    assert len(google.oauth.accepted) == 1
    google.oauth.revoke_all()
    order = offer(server, driver)
    google.fcm.wait_for(4)
    assert len(google.oauth.accepted) == 2
    assert wait_until(lambda: event(server, order, "pushed"), "the push is in the history")["attempts"] == 1
    assert_is_kept_secret(server, "ya29.", "PRIVATE KEY")


def test_an_access_token_is_renewed_before_its_end(start, google):
    google.oauth.lifetime = 1
    server = start()
    for count in (1, 2):
        offer(server, with_app(server, google)[0])
        [*_, last] = google.fcm.wait_for(count)
        wait_until(lambda: not any(google.oauth.is_valid(token) for token in list(google.oauth.tokens)), "its end")
    assert len(google.oauth.accepted) == 2


def test_a_device_that_google_forgot_is_forgotten(start, google):
    server = start()
    driver, token = with_app(server, google)
    other = google.fcm.device()
    register(driver, "fcm", other)
    google.fcm.devices.discard(token)
    order = offer(server, driver)
    [message] = google.fcm.wait_for(1)
    assert message["token"] == other
    failed = wait_until(lambda: event(server, order, "push_failed"), "the failure is in the history")
    assert failed["reason"] == "404 UNREGISTERED"
    [left] = devices(driver)
    assert left["id"] != failed["device_id"]
    assert server.metric('holodrive_pushes_total{way="fcm",outcome="unregistered"}') == 1
    assert_is_kept_secret(server, token, other)


def test_a_token_that_is_none_is_forgotten(start, google):
    server = start()
    driver = sleeping_driver(server, ("fcm", "no-token-at-all"))
    order = offer(server, driver)
    failed = wait_until(lambda: event(server, order, "push_failed"), "the failure is in the history")
    assert failed["reason"] == "400 INVALID_ARGUMENT" and devices(driver) == []


@pytest.mark.parametrize("status, body, retry_after", [
    (429, QUOTA, lambda: "2"), (503, AWAY, lambda: "2"), (503, AWAY, lambda: formatdate(time.time() + 3, usegmt=True)),
])
def test_google_is_given_the_time_that_it_asks_for(start, google, status, body, retry_after):
    server = start()
    driver, _ = with_app(server, google)
    begun = time.time()
    google.fcm.deviate(Answer(status, body, {"Retry-After": retry_after()}))
    order = offer(server, driver)
    [message] = google.fcm.wait_for(1)
    assert message["at"] - begun >= 2 and google.fcm.attempts == 2
    assert wait_until(lambda: event(server, order, "pushed"), "the push is in the history")["attempts"] == 2


def test_the_ttl_is_what_is_left(start, google):
    server = start(ORDER_OFFER_TIMEOUT=20)
    google.fcm.deviate(Answer(503, AWAY, {"Retry-After": "3"}))
    offer(server, with_app(server, google)[0])
    [message] = google.fcm.wait_for(1)
    assert 1 <= int(message["android"]["ttl"].removesuffix("s")) <= 17


@pytest.mark.parametrize("answer, reason", [
    (Answer(503, AWAY, {"Retry-After": "30"}), "503 UNAVAILABLE"),
    (Answer(503, AWAY, {"Retry-After": str(2**64 - 1)}), "503 UNAVAILABLE"),
    # Who is over his quota and is told no time waits for a minute.
    (Answer(429, QUOTA), "429 QUOTA_EXCEEDED"),
])
def test_no_attempt_comes_after_the_end(start, google, answer, reason):
    server = start(ORDER_OFFER_TIMEOUT=20)
    google.fcm.deviate(answer)
    order = offer(server, with_app(server, google)[0])
    failed = wait_until(lambda: event(server, order, "push_failed"), "the failure is in the history")
    assert (failed["reason"], failed["attempts"]) == (reason, 1)
    assert "offer_expired" not in kinds(server, order)


def test_the_ttl_is_what_is_left_after_signing_in(start, google):
    server = start(ORDER_OFFER_TIMEOUT=60)
    hold, begun, token = threading.Event(), time.time(), "ya29.slow"
    google.oauth.tokens[token] = begun + 3600
    google.oauth.deviate(Answer(200, {"access_token": token, "expires_in": 3600}, hold=hold))
    order = offer(server, with_app(server, google)[0])
    google.oauth.wait_for_attempts(1)
    wait_until(lambda: time.time() > begun + 3, "signing in takes a while")
    hold.set()
    [message] = google.fcm.wait_for(1)
    left = datetime.fromisoformat(order["expires_at"]).timestamp() - message["at"]
    assert int(message["android"]["ttl"].removesuffix("s")) <= left + 1


def test_an_access_token_may_be_good_for_ever(start, google):
    google.oauth.lifetime = 2**64 - 1
    server = start()
    offer(server, with_app(server, google)[0])
    google.fcm.wait_for(1)


def test_google_that_cannot_sign_in_to_apple_is_no_reason_to_sign_in_to_google_again(start, google):
    server = start()
    driver, token = with_app(server, google)
    google.fcm.has_key_of_apple = False
    google.fcm.apple_devices.add(token)
    order = offer(server, driver)
    failed = wait_until(lambda: event(server, order, "push_failed"), "the failure is in the history")
    assert (failed["reason"], failed["attempts"]) == ("401 THIRD_PARTY_AUTH_ERROR", 1)
    assert (len(google.oauth.accepted), google.fcm.attempts, len(devices(driver))) == (1, 1, 1)


def test_a_phone_that_never_came_is_told_that_it_is_over(start, google):
    server = start(ORDER_OFFER_UNREACHABLE_TIMEOUT=2, ORDER_OFFER_TIMEOUT=60)
    order = offer(server, with_app(server, google)[0])
    push, gone = google.fcm.wait_for(2)
    assert gone["token"] == push["token"]
    assert gone["data"] == {**{name: push["data"][name] for name in ("order_id", "order_code", "offer_id")}, "type": "order_gone"}
    assert (gone["android"]["priority"], gone["android"]["collapse_key"]) == ("NORMAL", push["android"]["collapse_key"])
    assert "sound" not in gone["apns"]["payload"]["aps"]
    assert kinds(server, order) == ["created", "offered", "pushed", "offer_revoked"]


@pytest.mark.parametrize("is_answered", [True, False])
def test_a_push_that_was_under_way_at_the_end_of_the_offer_is_followed_by_it(start, google, is_answered):
    server = start(ORDER_OFFER_TIMEOUT=60)
    hold = threading.Event()
    google.fcm.deviate(Answer(200, {"name": "shown"}, hold=hold))
    order = offer(server, with_app(server, google)[0])
    google.fcm.wait_for_attempts(1)
    assert server.staff().post(f"/api/orders/{order['id']}/cancel/").status_code == 200
    if is_answered:
        hold.set()
    [gone] = google.fcm.wait_for(1)
    assert (gone["data"]["type"], gone["data"]["order_id"]) == ("order_gone", str(order["id"]))
    hold.set()


def test_nobody_waits_for_a_service_that_hangs(start, google):
    server = start(ORDER_OFFER_TIMEOUT=60)
    hold = threading.Event()
    google.fcm.deviate(*[Answer(503, AWAY, hold=hold)] * 30)
    sleeping = [with_app(server, google)[0] for _ in range(30)]
    for driver in sleeping:
        offer(server, driver)
    google.fcm.wait_for_attempts(30)
    driver, socket = online_driver(server)
    order = offer(server, driver)
    assert socket.until("new_order")["order"]["id"] == order["id"]
    hold.set()
    google.fcm.wait_for(30, seconds=60)


def test_one_way_that_is_down_leaves_the_other_alone(start, google):
    back_end = BackEnd()
    server = start(**back_end.settings(), FCM_URL=f"https://127.0.0.1:{free_port()}", ORDER_OFFER_TIMEOUT=6)
    order = offer(server, with_app(server, google)[0])
    [push] = back_end.wait_for(1)
    assert push["order"]["id"] == order["id"]
    failed = wait_until(lambda: event(server, order, "push_failed"), "the failure is in the history", 20)
    assert failed["way"] == "fcm" and "refused" in failed["reason"].lower()
    assert event(server, order, "pushed")["way"] == "webhook" and back_end.attempts == 1
    back_end.stop()


def test_a_node_that_dies_before_it_has_sent_is_survived(start, google):
    server = start(ORDER_OFFER_TIMEOUT=60)
    driver, _ = with_app(server, google)
    hold = threading.Event()
    google.oauth.deviate(Answer(503, {}, hold=hold))
    order = offer(server, driver)
    google.oauth.wait_for_attempts(1)
    server.kill()
    hold.set()
    server.start()
    [message] = google.fcm.wait_for(1)
    assert message["data"]["order_id"] == str(order["id"])
    wait_until(lambda: event(server, order, "pushed"), "the push is in the history")
    # And a node that dies afterwards sends nothing again.
    server.kill()
    server.start()
    offer(server, with_app(server, google)[0])
    assert [message["data"]["order_id"] == str(order["id"]) for message in google.fcm.wait_for(2)] == [True, False]


def test_a_node_that_dies_before_it_knows_the_answer_sends_again(start, google):
    server = start(ORDER_OFFER_TIMEOUT=60)
    hold = threading.Event()
    google.fcm.deviate(Answer(200, {"name": "lost"}, hold=hold))
    order = offer(server, with_app(server, google)[0])
    google.fcm.wait_for_attempts(1)
    server.kill()
    hold.set()
    server.start()
    [message] = google.fcm.wait_for(1)
    assert (message["data"]["order_id"], google.fcm.attempts) == (str(order["id"]), 2)


def test_a_node_that_ends_in_order_finishes_the_push_in_hand(start, google):
    server = start(ORDER_OFFER_TIMEOUT=60, DRAIN_TIMEOUT=15)
    hold = threading.Event()
    google.fcm.deviate(Answer(200, {"name": "in hand"}, hold=hold))
    order = offer(server, with_app(server, google)[0])
    google.fcm.wait_for_attempts(1)
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: is_shut(server), "nobody is let in any more")
    hold.set()
    assert server.process.wait(timeout=20) == 0
    server.start()
    assert event(server, order, "pushed")["attempts"] == 1
    other = offer(server, with_app(server, google)[0])
    [message] = google.fcm.wait_for(1)
    assert (message["data"]["order_id"], google.fcm.attempts) == (str(other["id"]), 2)


def is_shut(server) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
    except OSError:
        return True
    return False


def test_a_push_that_pauses_at_the_end_of_its_node_goes_on_in_its_time(start, google):
    server = start(ORDER_OFFER_TIMEOUT=60)
    google.fcm.deviate(Answer(503, AWAY, {"Retry-After": "4"}))
    order = offer(server, with_app(server, google)[0])
    delayed = 'holodrive_pushes_total{way="fcm",outcome="delayed"}'
    wait_until(lambda: server.metric(delayed) == 1, "Google asks for time")
    assert server.terminate() == 0
    # A node that had died would have held it for another five seconds.
    [(pause,)] = server.rows("SELECT push_at - created_at FROM holodrive_offer WHERE order_id = ?", order["id"])
    assert 4 <= pause / 1e6 < 9
    server.start()
    [message] = google.fcm.wait_for(1)
    assert message["data"]["order_id"] == str(order["id"])
    wait_until(lambda: event(server, order, "pushed"), "the push is in the history")
    assert "push_failed" not in kinds(server, order)


def test_a_key_that_google_does_not_know(start, google, tmp_path):
    other = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)).decode()
    google.oauth.write_credentials(tmp_path, private_key=other)
    server = start(ORDER_OFFER_TIMEOUT=4)
    order = offer(server, with_app(server, google)[0])
    failed = wait_until(lambda: event(server, order, "push_failed"), "the failure is in the history", 20)
    assert failed["reason"] == "no access token: 400 invalid_grant"
    report = server.cli("check", check=False).stdout
    assert "FAIL  push            FCM cannot be used: no access token: 400 invalid_grant" in report


def test_the_check_tells_whether_google_takes_our_credentials(start, google, tmp_path):
    server = start()
    assert "ok    push            FCM answers, and takes our credentials" in server.cli("check", check=False).stdout
    assert google.fcm.accepted == []
    google.oauth.write_credentials(tmp_path, project_id=f"{PROJECT}-not-ours")
    report = server.cli("check", check=False).stdout
    assert "FAIL  push            FCM cannot be used: 403 SENDER_ID_MISMATCH" in report
    shown = server.cli("config").stdout
    assert "service-account.json" in shown and "PRIVATE KEY" not in shown


@pytest.mark.parametrize("text, problem", [
    (None, "cannot be read: No such file or directory"),
    ("{}", "is no key file of a service account"),
    ("[1]", "is no key file of a service account"),
    ('{"type": "authorized_user", "project_id": "p", "private_key": "k", "client_email": "e", "token_uri": "https://t"}',
     "is the key file of something else than a service account"),
    ('{"type": "service_account", "project_id": "p", "private_key": "k", "client_email": "e", "token_uri": "https://t"}',
     "holds no RSA key in PEM form"),
])
def test_credentials_that_are_none_stop_the_start(settings, tmp_path, text, problem):
    file = settings["FCM_CREDENTIALS"]
    file.write_text(text) if text else file.unlink()
    (tmp_path / "server").mkdir()
    server = Server(tmp_path / "server", **settings)
    started = server.cli("serve", check=False)
    assert started.returncode == 1
    [line] = started.stderr.splitlines()[-1:]
    assert line.startswith(f"holodrive: FCM_CREDENTIALS: {file} ") and problem in line
    assert "k\"" not in line


def test_a_driver_of_the_dispatcher_wakes_and_takes_the_order(start, google):
    """The whole way: the phone sleeps, the push comes, the app connects, and the driver accepts."""
    server = start(DISPATCH_MODE="auto", ORDER_OFFER_UNREACHABLE_TIMEOUT=20)
    driver, token = with_app(server, google)
    driver.move_to(*NEAR)
    order = place_order(server.user())
    [message] = google.fcm.wait_for(1)
    assert (message["token"], message["data"]["order_id"]) == (token, str(order["id"]))
    assert int(message["android"]["ttl"].removesuffix("s")) > 20
    socket = driver.connect("/ws/driver/orders/")
    assert socket.until("initial_orders")["orders"][0]["id"] == order["id"]
    socket.send({"type": "accept_order", "order_id": order["id"]})
    assert socket.until("order_accepted")["order"]["id"] == order["id"]
