"""Credentials, refusals, closes and limits: what every socket shares."""

import itertools
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from socket import create_connection

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from holodrive import Server, wait_until
from orders import accepted_order, act
from sessions import create_session
from sockets import BINARY, CLOSE, PING, PONG, TEXT, RawSocket
from users import access_token

ORIGIN = "http://good.example"
PATHS = ["/ws/notifications/", "/ws/driver/orders/", "/ws/rider/orders/"]


def http_status(server, path: str, **options) -> int:
    with pytest.raises(InvalidStatus) as refused:
        server.connect(path, **options)
    return refused.value.response.status_code


def established(socket):
    assert socket.receive()["type"] == "connection_established"
    return socket


def notifications(user, **options):
    return established(user.connect("/ws/notifications/", **options))


# Where a credential can be

@pytest.mark.parametrize("path", [
    "/ws/notifications/{token}", "/ws/notifications/{token}/", "/ws/notifications/token={token}",
    "/ws/notifications/token={token}/", "/ws/notifications/?token={token}", "/ws/notifications?token={token}",
    "/ws/notifications/{id}/{token}", "/ws/notifications/{id}/{token}/", "/ws/driver/orders/{token}",
    "/ws/driver/orders/token={token}", "/ws/driver/order/{token}", "/ws/driver/orders?token={token}",
    "/ws/rider/orders/{token}", "/ws/rider/orders/token={token}",
])
def test_tokens_in_query_and_path(server, path):
    driver = server.driver()
    established(server.connect(path.format(token=driver.token, id=driver.id)))


@pytest.mark.parametrize("form", ["{token}", "{token}/", "token={token}", "?token={token}"])
def test_tokens_on_chat_and_tracking_paths(start_server, form):
    server = start_server()
    rider, _, _, order = accepted_order(server)
    conversation = rider.get(f"/api/orders/{order['id']}/").json()["conversation_id"]
    tail = form.format(token=rider.token)
    established(server.connect(f"/ws/chat/{conversation}/{tail}"))
    established(server.connect(f"/ws/order/{order['id']}/tracking/{tail}"))


def test_authorization_header(server):
    established(server.connect("/ws/notifications/", token=server.user().token))


def test_subprotocol_is_answered_with_bearer(server):
    socket = established(server.connect("/ws/notifications/", subprotocols=["bearer", server.user().token]))
    assert socket.subprotocol == "bearer"


def test_session_cookie_with_an_allowed_origin(server):
    session = create_session(server.user())
    established(server.connect("/ws/notifications/", cookie=f"sessionid={session}", origin=ORIGIN))


def test_the_own_host_is_an_allowed_origin_by_default(start_server):
    server = start_server(ALLOWED_ORIGINS="")
    session = create_session(server.user())
    established(server.connect("/ws/notifications/", cookie=f"sessionid={session}", origin=server.url))
    assert http_status(server, "/ws/notifications/", cookie=f"sessionid={session}", origin=ORIGIN) == 403


PLACES = ["query", "path", "header", "subprotocol", "cookie"]
PAIRS = list(itertools.combinations(PLACES, 2))


def connect_with(server, tokens: dict, session=None):
    """Opens the notifications socket with a token in each of the named places."""
    path = "/ws/notifications/"
    if "path" in tokens:
        path += tokens["path"]
    if "query" in tokens:
        path += f"?token={tokens['query']}"
    return server.connect(
        path, token=tokens.get("header"), origin=ORIGIN,
        cookie=f"sessionid={session}" if session else None,
        subprotocols=["bearer", tokens["subprotocol"]] if "subprotocol" in tokens else None,
    )


@pytest.mark.parametrize("first, second", PAIRS)
def test_the_first_credential_present_decides(server, first, second):
    user, other = server.user(), server.user()
    tokens = {first: user.token, second: other.token}
    session = create_session(other) if second == "cookie" else None
    tokens.pop("cookie", None)
    socket = connect_with(server, tokens, session)
    assert socket.receive()["user_id"] == str(user.id)


@pytest.mark.parametrize("first, second", PAIRS)
def test_a_bad_credential_never_falls_back_to_the_next(server, first, second):
    user = server.user()
    tokens = {first: access_token(user.id, key="another key altogether, 32 bytes long"), second: user.token}
    session = create_session(user) if second == "cookie" else None
    tokens.pop("cookie", None)
    connect_with(server, tokens, session).refused(4401, "unauthorized")


# Tokens and sessions that do not count

def bad_tokens(user):
    header, payload, signature = user.token.split(".")
    return {
        "garbage": "garbage",
        "other key": access_token(user.id, key="another key altogether, 32 bytes long"),
        "refresh": access_token(user.id, token_type="refresh"),
        "no type": access_token(user.id, token_type=None),
        "no jti": access_token(user.id, jti=None),
        "no exp": access_token(user.id, exp=None),
        "no user": access_token(user.id, user_id=None),
        "unknown user": access_token(10**9),
        "user that is no number": access_token("abc"),
        "not yet": access_token(user.id, nbf=int(time.time()) + 1000),
        "no signature": f"{header}.{payload}.",
        "cut signature": f"{header}.{payload}.{signature[:-4]}",
    }


@pytest.mark.parametrize("kind", list(bad_tokens(type("Nobody", (), {"id": 1, "token": "a.b.c"}))))
def test_bad_tokens(server, kind):
    user = server.user()
    socket = server.connect(f"/ws/notifications/?token={bad_tokens(user)[kind]}")
    assert socket.refused(4401, "unauthorized")["reconnect"] is False


@pytest.mark.parametrize("path", PATHS)
def test_no_credential(server, path):
    server.connect(path).refused(4401, "unauthorized")


def test_expired_token(server):
    user = server.user()
    server.connect(f"/ws/notifications/?token={access_token(user.id, lifetime=-5)}").refused(4401, "token_expired")


def test_inactive_user(server):
    user = server.user(is_active=False)
    user.connect("/ws/notifications/").refused(4401, "unauthorized")


@pytest.mark.parametrize("session", ["unknown", "expired", "other key", "tampered"])
def test_bad_sessions(server, session):
    user = server.user()
    key = "0" * 32
    if session == "expired":
        key = create_session(user, lifetime=timedelta(seconds=-1))
    elif session == "other key":
        key = create_session(user, key="another key altogether, 32 bytes long")
    elif session == "tampered":
        key = create_session(user)
        server.execute("UPDATE django_session SET session_data = 'A' || session_data WHERE session_key = ?", key)
    server.connect("/ws/notifications/", cookie=f"sessionid={key}", origin=ORIGIN).refused(4401, "unauthorized")


def test_another_users_id_in_the_path(server):
    user, other = server.user(), server.user()
    for wrong in (other.id, 10**9, f"0{user.id}", f"+{user.id}"):
        socket = server.connect(f"/ws/notifications/{wrong}/{user.token}")
        socket.refused(4403, "forbidden")


# Origins, methods and paths

def test_a_cookie_without_an_origin_is_refused(server):
    session = create_session(server.user())
    assert http_status(server, "/ws/notifications/", cookie=f"sessionid={session}") == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://good.example.evil.example",
                                    "https://good.example", "http://good.example:8080"])
def test_a_foreign_origin_is_refused_whatever_the_credential(server, origin):
    user = server.user()
    session = create_session(user)
    assert http_status(server, f"/ws/notifications/?token={user.token}", origin=origin) == 403
    assert http_status(server, "/ws/notifications/", cookie=f"sessionid={session}", origin=origin) == 403
    assert http_status(server, "/ws/notifications/", origin=origin) == 403


@pytest.mark.parametrize("pattern, origin, allowed", [
    (".example.com", "https://a.b.example.com", True),
    (".example.com", "http://example.com:8000", True),
    (".example.com", "http://badexample.com", False),
    ("https://app.example.com", "https://app.example.com:443", True),
    ("https://app.example.com", "http://app.example.com", False),
    ("*", "http://anything.example", True),
])
def test_patterns_of_origins(start_server, pattern, origin, allowed):
    server = start_server(ALLOWED_ORIGINS=pattern)
    user = server.user()
    if allowed:
        established(user.connect("/ws/notifications/", origin=origin))
    else:
        assert http_status(server, f"/ws/notifications/?token={user.token}", origin=origin) == 403


@pytest.mark.parametrize("path", [*PATHS, "/ws/chat/1/", "/ws/order/1/tracking/", "/ws/notifications"])
def test_plain_http_gets_426_with_json(server, path):
    response = server.http.get(path)
    assert response.status_code == 426
    assert response.headers["content-type"].startswith("application/json")
    assert {"detail", "code"} <= response.json().keys()
    assert response.headers.get("upgrade", "").lower() == "websocket"


@pytest.mark.parametrize("path", ["/ws/", "/ws/nothing/", "/ws/notification/", "/ws/driver/", "/__echo",
                                  "/__echo_limited", "/ws/chat/", "/ws/order/1/"])
def test_unknown_paths(server, path):
    """The two echo paths too: they exist only in a build for tests, never in the program as it ships."""
    assert server.http.get(path).status_code == 404
    assert http_status(server, path, token=server.user().token) == 404


# A credential that ends while the socket is open

def test_a_token_that_runs_out_closes_the_socket(server):
    user = server.user()
    socket = established(server.connect(f"/ws/notifications/?token={access_token(user.id, lifetime=2)}"))
    messages, code = socket.rest(timeout=8)
    assert code == 4401
    assert messages[-1]["code"] == "token_expired"


def test_token_expiring_comes_a_minute_before(server):
    user = server.user()
    socket = established(server.connect(f"/ws/notifications/?token={access_token(user.id, lifetime=62)}"))
    message = socket.expect("token_expiring", timeout=8)
    assert 55 < seconds_until(message["expires_at"]) <= 61


def seconds_until(moment: str) -> float:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp() - time.time()


def test_authenticate_replaces_the_credential(server):
    user = server.user()
    socket = established(server.connect(f"/ws/notifications/?token={access_token(user.id, lifetime=2)}"))
    old_end = time.monotonic() + 3.5
    socket.send({"type": "authenticate", "token": access_token(user.id, lifetime=500)})
    answer = socket.until("authenticated")
    assert 490 < seconds_until(answer["expires_at"]) <= 501
    wait_until(lambda: time.monotonic() > old_end, "the first token has run out")
    assert "error" not in socket.kinds_so_far()


@pytest.mark.parametrize("kind", ["garbage", "refresh", "another user", "expired", "missing"])
def test_a_bad_authenticate_leaves_the_old_credential(server, kind):
    user = server.user()
    tokens = {"garbage": "garbage", "refresh": access_token(user.id, token_type="refresh"),
              "another user": server.user().token, "expired": access_token(user.id, lifetime=-5)}
    socket = notifications(user)
    if kind == "missing":
        socket.send({"type": "authenticate"})
        assert socket.expect("error")["code"] == "invalid_message"
    else:
        socket.send({"type": "authenticate", "token": tokens[kind]})
        assert socket.expect("error")["code"] == "unauthorized"
    assert socket.so_far() == []


@pytest.fixture(scope="module")
def alert(tmp_path_factory):
    """A server that looks again every 0.2 s whether the credentials of live connections still count."""
    server = Server(tmp_path_factory.mktemp("alert"), RECHECK_INTERVAL=0.2).start()
    yield server
    server.finish()


def test_a_deactivated_user_is_closed(alert):
    user, other = alert.user(), alert.user()
    socket, bystander = notifications(user), notifications(other)
    alert.execute("UPDATE auth_user SET is_active = FALSE WHERE id = ?", user.id)
    socket.refused(4401, "unauthorized")
    assert bystander.so_far() == []


def test_a_deleted_user_is_closed(alert):
    user = alert.user()
    socket = notifications(user)
    alert.execute("DELETE FROM auth_user WHERE id = ?", user.id)
    socket.refused(4401, "unauthorized")


def test_a_driver_who_leaves_the_group_is_closed(alert):
    driver = alert.driver()
    socket, other = established(driver.connect("/ws/driver/orders/")), notifications(driver)
    alert.execute("DELETE FROM auth_user_groups WHERE user_id = ?", driver.id)
    socket.refused(4403, "forbidden")
    assert other.so_far() == []


def test_a_logged_out_session_is_closed(alert):
    user = alert.user()
    session = create_session(user)
    by_cookie = established(alert.connect("/ws/notifications/", cookie=f"sessionid={session}", origin=ORIGIN))
    by_token = notifications(user)
    alert.execute("DELETE FROM django_session WHERE session_key = ?", session)
    by_cookie.refused(4401, "unauthorized")
    assert by_token.so_far() == []


def test_a_changed_password_ends_the_session(alert):
    user = alert.user()
    session = create_session(user)
    socket = established(alert.connect("/ws/notifications/", cookie=f"sessionid={session}", origin=ORIGIN))
    alert.execute("UPDATE auth_user SET password = '!changed' WHERE id = ?", user.id)
    socket.refused(4401, "unauthorized")


def test_a_driver_who_leaves_the_conversation_is_closed(alert):
    rider, driver, _, order = accepted_order(alert)
    conversation = rider.get(f"/api/orders/{order['id']}/").json()["conversation_id"]
    socket = established(driver.connect(f"/ws/chat/{conversation}/"))
    assert act(driver, order["id"], "release").is_success
    socket.refused(4403, "forbidden")


# Limits

def test_connections_per_user(start_server):
    server = start_server(MAX_CONNECTIONS_PER_USER=2)
    user = server.user()
    first, second = notifications(user), notifications(user)
    error = user.connect("/ws/notifications/").refused(4429, "rate_limited")
    assert error["reconnect"] is True
    for socket in (first, second):
        assert socket.so_far() == []
    notifications(server.user())
    first.close()
    wait_until(lambda: user.connect("/ws/notifications/").receive()["type"] == "connection_established",
               "a place is free again")


def test_connections_per_address(start_server):
    server = start_server(MAX_CONNECTIONS_PER_IP=1)
    first = notifications(server.user())
    server.user().connect("/ws/notifications/").refused(4429, "rate_limited")
    assert first.so_far() == []


def test_messages_per_second(start_server):
    server = start_server(MESSAGE_RATE=1, MESSAGE_BURST=5)
    socket, neighbour = notifications(server.user()), notifications(server.user())
    with suppress(ConnectionClosed):
        for _ in range(20):
            socket.send({"type": "ping"})
    messages, code = socket.rest()
    assert code == 4429
    assert messages[-1]["code"] == "rate_limited"
    assert 5 <= sum(message["type"] == "pong" for message in messages) < 20
    assert neighbour.so_far() == []


def test_a_peer_that_answers_no_ping_is_dropped(start_server):
    server = start_server(HEARTBEAT_INTERVAL=0.2, HEARTBEAT_TIMEOUT=0.3)
    user = server.user()
    alive = notifications(user)
    with RawSocket(server, f"/ws/notifications/?token={user.token}") as raw:
        messages, code = raw.rest()
        assert code == 4408
        assert messages[-1]["code"] == "idle_timeout"
    assert alive.so_far() == []


def test_a_peer_that_answers_stays(start_server):
    server = start_server(HEARTBEAT_INTERVAL=0.1, HEARTBEAT_TIMEOUT=0.2)
    user = server.user()
    with RawSocket(server, f"/ws/notifications/?token={user.token}") as raw:
        pings = 0
        while pings < 10:
            opcode, payload = raw.receive_frame()
            assert opcode in (PING, TEXT), (opcode, payload)
            if opcode == PING:
                raw.send_frame(PONG, payload)
                pings += 1


def raw_notifications(server) -> RawSocket:
    raw = RawSocket(server, f"/ws/notifications/?token={server.user().token}")
    raw.until("connection_established")
    return raw


def assert_closed_without_error(raw: RawSocket, code: int):
    assert raw.rest() == ([], code)


def test_a_message_of_the_largest_size_is_read(server):
    with raw_notifications(server) as raw:
        raw.send_frame(TEXT, b"x" * 65536)
        assert raw.receive()["code"] == "invalid_json"


def test_a_message_that_is_too_big(server):
    with raw_notifications(server) as raw:
        raw.send_frame(TEXT, b"x" * 65537)
        assert_closed_without_error(raw, 1009)


def test_a_fragmented_message_that_is_too_big(server):
    with raw_notifications(server) as raw:
        raw.send_frame(TEXT, b"x" * 60000, fin=False)
        raw.send_frame(0, b"x" * 60000)
        assert_closed_without_error(raw, 1009)


def test_a_huge_declared_length_closes_at_once(server):
    with raw_notifications(server) as raw:
        raw.send_bytes(bytes([0x81, 0xFF]) + (2**62).to_bytes(8, "big") + os.urandom(4))
        assert_closed_without_error(raw, 1009)


@pytest.mark.parametrize("payload", [b"\xff", b"\xc3", b"\xed\xa0\x80", b'{"type":"ping"\xf5}'])
def test_invalid_utf8(server, payload):
    with raw_notifications(server) as raw:
        raw.send_frame(TEXT, payload)
        assert_closed_without_error(raw, 1007)


def test_invalid_utf8_across_fragments(server):
    with raw_notifications(server) as raw:
        raw.send_frame(TEXT, b"\xe2\x82", fin=False)
        raw.send_frame(0, b"\x28")
        assert_closed_without_error(raw, 1007)


@pytest.mark.parametrize("frame", [
    pytest.param({"opcode": TEXT, "rsv": 4}, id="reserved bit"),
    pytest.param({"opcode": 0x3}, id="unknown data opcode"),
    pytest.param({"opcode": 0xB}, id="unknown control opcode"),
    pytest.param({"opcode": 0x0, "payload": b"x"}, id="continuation of nothing"),
    pytest.param({"opcode": PING, "fin": False}, id="fragmented ping"),
    pytest.param({"opcode": PING, "payload": b"x" * 126}, id="long ping"),
    pytest.param({"opcode": CLOSE, "payload": b"x"}, id="close of one byte"),
    pytest.param({"opcode": CLOSE, "payload": (1005).to_bytes(2, "big")}, id="reserved close code"),
    pytest.param({"opcode": TEXT, "payload": b"{}", "masked": False}, id="unmasked"),
])
def test_protocol_errors_get_a_close_frame(server, frame):
    with raw_notifications(server) as raw:
        raw.send_frame(**frame)
        assert_closed_without_error(raw, 1002)


def test_a_close_is_answered_with_its_code(server):
    with raw_notifications(server) as raw:
        raw.send_frame(CLOSE, (1000).to_bytes(2, "big"))
        assert raw.rest() == ([], 1000)


UPGRADE = {
    "Host": "x", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.mark.parametrize(("line", "extra", "changed", "status"), [
    ("GET", "", {}, 101),
    ("GET", "", {"Host": None}, 400),
    ("GET", "Host: y\r\n", {}, 400),
    ("GET", "", {"Sec-WebSocket-Key": "c2hvcnQ="}, 400),
    ("GET", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", {}, 400),
    ("GET", "Content-Length: 5\r\n", {}, 400),
    ("GET", "", {"Sec-WebSocket-Version": "12"}, 426),
    ("GET", "", {"Upgrade": None}, 426),
    ("POST", "", {}, 405),
])
def test_a_handshake_is_held_to_rfc_6455(server, line, extra, changed, status):
    headers = {name: value for name, value in (UPGRADE | changed).items() if value is not None}
    text = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(f"{line} /ws/notifications/ HTTP/1.1\r\n{text}{extra}\r\n".encode())
        assert raw.recv(4096).split(b" ")[1] == str(status).encode()


def test_a_ping_is_answered_with_its_payload(server):
    with raw_notifications(server) as raw:
        raw.send_frame(PING, b"payload")
        assert raw.receive_frame() == (PONG, b"payload")


def test_a_binary_message_keeps_the_connection_open(server):
    with raw_notifications(server) as raw:
        raw.send_frame(BINARY, b"\x00\xff")
        assert raw.receive()["type"] == "error"
        raw.send({"type": "ping"})
        assert raw.receive() == {"type": "pong"}


@pytest.mark.parametrize("start", [b"", b"GET /ws/notifications/ HTT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_half_a_request_is_closed(start_server, start):
    server = start_server(HANDSHAKE_TIMEOUT=0.5)
    with create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(start)
        while connection.recv(1024):
            pass


def test_a_slow_consumer_is_cut_off(start_server):
    server = start_server()
    user = server.user()
    reader = notifications(user)
    with RawSocket(server, f"/ws/notifications/?token={user.token}", receive_buffer=4096) as slow:
        slow.until("connection_established")
        big = {"title": "T", "message": "x" * 4000, "notification_type": "t", "data": {"x": "y" * 16000}}
        # Many at once: whoever is cut off has some seconds to read why.
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda _: server.notify(user_id=user.id, **big), range(400))
            assert {answer.status_code for answer in answers} == {201}
        for _ in range(400):
            reader.expect("notification")
        messages, code = slow.rest()
        assert code == 4410
        assert messages[-1]["code"] == "slow_consumer"
        assert messages[-1]["reconnect"] is True
        assert len(messages) < 400


# Draining

def test_sigterm_says_going_away_and_exits_cleanly(start_server):
    server = start_server(DRAIN_TIMEOUT=1)
    sockets = [notifications(server.user()) for _ in range(5)]
    status = server.terminate()
    assert status == 0
    errors = [socket.refused(1001, "going_away") for socket in sockets]
    assert all(error["reconnect"] for error in errors)
    assert len({error["retry_after_ms"] for error in errors}) > 1, "a crowd must not come back at once"


def test_a_second_sigterm_ends_it_at_once(start_server):
    server = start_server(DRAIN_TIMEOUT=300)
    user = server.user()
    with RawSocket(server, f"/ws/notifications/?token={user.token}") as deaf:
        deaf.until("connection_established")
        server.process.send_signal(signal.SIGTERM)
        assert deaf.until("error")["code"] == "going_away"
        assert server.process.poll() is None, "it waits for the socket that does not answer the close"
        assert server.terminate() == 0


def test_tokens_never_reach_the_log(start_server):
    server = start_server(LOG_LEVEL="debug")
    user = server.user()
    good, bad = user.token, access_token(user.id, key="another key altogether, 32 bytes long")
    for token in (good, bad):
        for path in (f"/ws/notifications/?token={token}", f"/ws/notifications/{token}", f"/nothing/{token}"):
            try:
                server.connect(path).receive()
            except InvalidStatus as refused:
                assert token.encode() not in (refused.response.body or b"")
        server.http.get("/api/me/", params={"token": token}, headers={"Authorization": f"Bearer {token}"})
    metrics = server.http.get("/metrics").text
    server.stop()
    text = server.stderr_path.read_text() + server.stdout_path.read_text() + metrics
    for token in (good, bad):
        assert token.split(".")[2] not in text
