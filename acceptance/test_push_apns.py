"""Offers that are pushed by Apple's service, over HTTP/2, and what becomes of them when Apple says no."""

import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from apns_server import TOPIC, ApnsServer
from certificates import Authority, pem
from holodrive import Server, wait_until
from pushes import BY_HAND, devices, event, offer, register, sleeping_driver
from services import Answer


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def apple(authority):
    server = ApnsServer(authority)
    yield server
    server.stop()


@pytest.fixture
def settings(apple, authority, tmp_path):
    return {**BY_HAND, **apple.settings(tmp_path), "SSL_CERT_FILE": authority.file}


@pytest.fixture
def start(start_server, settings):
    return lambda **options: start_server(**{**settings, **options})


def with_app(server, apple):
    token = apple.device()
    return sleeping_driver(server, ("apns", token)), token


def test_a_push_has_all_that_apple_and_the_app_need(start, apple):
    server = start(ORDER_OFFER_TIMEOUT=120, PUSH_AFTER=60)
    driver, token = with_app(server, apple)
    order = offer(server, driver)
    [push] = apple.wait_for(1)
    headers, payload = push["headers"], push["payload"]
    assert push["token"] == token
    assert (headers["apns-topic"], headers["apns-push-type"], headers["apns-priority"]) == (TOPIC, "alert", "10")
    assert headers["apns-collapse-id"] == f"order-{order['id']}"
    assert 0 < int(headers["apns-expiration"]) - push["at"] <= 120
    assert payload["aps"]["alert"] == {"title": "New ride request available", "body": "Amir Temur 1"}
    assert payload["aps"]["content-available"] == 1
    offered = event(server, order, "offered")
    assert {name: payload[name] for name in payload if name != "aps"} == {
        "type": "new_order", "order_id": str(order["id"]), "order_code": order["order_code"],
        "offer_id": str(offered["offer_id"]), "expires_at": order["expires_at"],
    }
    pushed = wait_until(lambda: event(server, order, "pushed"), "the push is in the history")
    assert (pushed["way"], pushed["device_id"]) == ("apns", devices(driver)[0]["id"])
    texts = [server.logs()] + [details for (details,) in server.rows("SELECT details FROM holodrive_order_event")]
    assert not any(token in text for text in texts)


def test_all_pushes_go_over_one_connection_with_one_token(start, apple):
    server = start()
    for count in range(1, 11):
        offer(server, with_app(server, apple)[0])
        apple.wait_for(count)
    assert (apple.connections, len(apple.provider_tokens)) == (1, 1)


def test_a_provider_token_that_is_too_old_is_renewed_once(start, apple):
    server = start()
    for count in (1, 2):
        offer(server, with_app(server, apple)[0])
        apple.wait_for(count)
        apple.expire_provider_tokens()
    assert len(apple.provider_tokens) == 2
    # Another one so soon would be refused for good: Apple allows one in twenty minutes.
    order = offer(server, with_app(server, apple)[0])
    failed = wait_until(lambda: event(server, order, "push_failed"), "the failure is in the history")
    assert failed["reason"] == "403 ExpiredProviderToken" and len(apple.provider_tokens) == 2


def test_devices_that_are_gone_are_forgotten_and_those_of_the_other_environment_stay(start, apple):
    server = start()
    gone, token = with_app(server, apple)
    apple.forget(token, time.time() + 60)
    # A sandbox knows no token of production, and the other way round.
    elsewhere = sleeping_driver(server, ("apns", "ab" * 32))
    for driver, reason, left in ((gone, "410 Unregistered", 0), (elsewhere, "400 BadDeviceToken", 1)):
        order = offer(server, driver)
        failed = wait_until(lambda: event(server, order, "push_failed"), "the failure is in the history")
        assert (failed["reason"], failed["attempts"], len(devices(driver))) == (reason, 1, left)
    assert server.metric('holodrive_pushes_total{way="apns",outcome="unregistered"}') == 1
    assert server.metric('holodrive_pushes_total{way="apns",outcome="failed"}') == 1


def test_a_device_that_was_registered_after_apple_lost_it_stays(start, apple):
    server = start()
    driver, token = with_app(server, apple)
    apple.forget(token, time.time() - 60)
    register(driver, "apns", token)
    order = offer(server, driver)
    wait_until(lambda: event(server, order, "push_failed"), "the failure is in the history")
    assert len(devices(driver)) == 1


def test_the_end_of_an_offer_takes_its_place_without_a_sound(start, apple):
    server = start(ORDER_OFFER_UNREACHABLE_TIMEOUT=2, ORDER_OFFER_TIMEOUT=60)
    offer(server, with_app(server, apple)[0])
    push, gone = apple.wait_for(2)
    assert gone["token"] == push["token"] and gone["payload"]["type"] == "order_gone"
    assert gone["headers"]["apns-collapse-id"] == push["headers"]["apns-collapse-id"]
    assert gone["headers"]["apns-priority"] == "5"
    assert gone["payload"]["aps"]["alert"]["title"] == "The ride request is no longer available"
    assert "sound" not in gone["payload"]["aps"]


@pytest.mark.parametrize("answer", [
    Answer(429, {"reason": "TooManyRequests"}), Answer(503, {"reason": "ServiceUnavailable"}, {"retry-after": "1"}),
    Answer(500, {"reason": "InternalServerError"}),
])
def test_what_fails_for_a_moment_is_tried_again(start, apple, answer):
    server = start()
    apple.deviate(answer)
    order = offer(server, with_app(server, apple)[0])
    apple.wait_for(1)
    assert wait_until(lambda: event(server, order, "pushed"), "the push is in the history")["attempts"] == 2


def test_what_fails_for_good_is_told_once(start, apple):
    server = start(APNS_TOPIC="com.example.another")
    driver, _ = with_app(server, apple)
    order = offer(server, driver)
    failed = wait_until(lambda: event(server, order, "push_failed"), "the failure is in the history")
    assert (failed["reason"], failed["attempts"]) == ("400 TopicDisallowed", 1)
    assert len(devices(driver)) == 1
    assert "FAIL  push            APNs cannot be used: 400 TopicDisallowed" in server.cli("check", check=False).stdout


def test_a_server_that_nobody_vouches_for_gets_nothing(start, apple, tmp_path):
    (tmp_path / "other").mkdir()
    server = start(SSL_CERT_FILE=Authority(tmp_path / "other").file, ORDER_OFFER_TIMEOUT=3)
    order = offer(server, with_app(server, apple)[0])
    failed = wait_until(lambda: event(server, order, "push_failed"), "the failure is in the history")
    assert "certificate" in failed["reason"] and apple.attempts == 0


def test_the_check_tells_whether_apple_takes_our_key(start, apple, settings):
    server = start()
    assert "ok    push            APNs answers, and takes our credentials" in server.cli("check", check=False).stdout
    assert apple.accepted == []
    settings["APNS_KEY"].write_bytes(pem(ec.generate_private_key(ec.SECP256R1())))
    report = server.cli("check", check=False).stdout
    assert "FAIL  push            APNs cannot be used: 403 InvalidProviderToken" in report


@pytest.mark.parametrize("missing", ["APNS_KEY", "APNS_KEY_ID", "APNS_TEAM_ID", "APNS_TOPIC"])
def test_half_of_the_settings_stop_the_start(settings, tmp_path, missing):
    (tmp_path / "server").mkdir()
    started = Server(tmp_path / "server", **{**settings, missing: ""}).cli("serve", check=False)
    expected = (
        f"holodrive: {missing} is not set: APNS_KEY, APNS_KEY_ID, APNS_TEAM_ID and APNS_TOPIC belong together"
    )
    assert (started.returncode, started.stderr.strip()) == (1, expected)


def test_a_key_that_is_none_stops_the_start(settings, tmp_path):
    settings["APNS_KEY"].write_text("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
    (tmp_path / "server").mkdir()
    started = Server(tmp_path / "server", **settings).cli("serve", check=False)
    assert started.returncode == 1 and "c2VjcmV0" not in started.stderr
    assert f"APNS_KEY: {settings['APNS_KEY']} holds no elliptic curve key in PEM form" in started.stderr
