"""What no client should send: the answers of the contract, nothing panics, nobody else notices."""

import json

import pytest

from holodrive import Server
from orders import accepted_order, get_order, place_order
from sockets import BINARY, TEXT, RawSocket

INVALID_JSON = ["", "{", "nope", "{'type':'ping'}", '{"type":"ping"', '{"type":"ping"}x', "\u0000", "NaN", '{"type": "ping", }', '"\\ud800', "{\"type\":\"\\ud800\"}"]
NOT_A_MESSAGE = ["[]", "null", "1", '"ping"', "true", "{}", "[" * 30000, '{"a":' * 10000,
                 '{"type":null}', '{"type":5}', '{"type":["ping"]}',
                 '{"type":{}}', "1e400", "1" * 5000]
UNKNOWN = ['{"type":"nonsense"}', '{"type":""}', '{"type":"connection_established"}', '{"type":"PING"}',
           '{"type":"' + "x" * 10000 + '"}']
HUGE = 10**400


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A trip, its four kinds of sockets, and a neighbour on each who must not notice anything."""
    server = Server(tmp_path_factory.mktemp("garbage"), MESSAGE_RATE=0, MAX_CONNECTIONS_PER_USER=0).start()
    rider, driver, _, order = accepted_order(server)
    conversation = get_order(rider, order["id"])["conversation_id"]
    yield World(server, rider, driver, {
        "notifications": (rider, "/ws/notifications/"),
        "chat": (rider, f"/ws/chat/{conversation}/"),
        "driver": (driver, "/ws/driver/orders/"),
        "rider": (rider, "/ws/rider/orders/"),
        "tracking": (rider, f"/ws/order/{order['id']}/tracking/"),
    })
    server.finish()


class World:
    def __init__(self, server, rider, driver, endpoints):
        self.server, self.rider, self.driver, self.endpoints = server, rider, driver, endpoints
        self.neighbours = {name: self.open(name) for name in endpoints}

    def open(self, name: str):
        user, path = self.endpoints[name]
        socket = user.connect(path)
        socket.expect("connection_established")
        socket.so_far()
        return socket

    def assert_undisturbed(self, name: str):
        self.server.assert_no_panic()
        assert self.neighbours[name].so_far() == []


ENDPOINTS = ["notifications", "chat", "driver", "rider", "tracking"]


def answers(world, name: str, texts, codes):
    socket = world.open(name)
    for text in texts:
        socket.send_raw(text)
        error = socket.expect("error")
        assert error["code"] in codes, (text[:80], error)
        assert isinstance(error["message"], str) and error["message"]
    assert socket.so_far() == []
    world.assert_undisturbed(name)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_invalid_json(world, name):
    answers(world, name, INVALID_JSON[:-1], {"invalid_json"})
    answers(world, name, INVALID_JSON[-1:], {"invalid_json", "invalid_message", "unknown_type"})


@pytest.mark.parametrize("name", ENDPOINTS)
def test_json_that_is_no_message(world, name):
    answers(world, name, NOT_A_MESSAGE, {"invalid_message", "invalid_json", "unknown_type"})


@pytest.mark.parametrize("name", ENDPOINTS)
def test_unknown_types(world, name):
    answers(world, name, UNKNOWN, {"unknown_type"})


@pytest.mark.parametrize("name", ENDPOINTS)
def test_messages_of_other_endpoints_are_unknown(world, name):
    own = {"notifications": "mark_as_read", "chat": "chat_message", "driver": "accept_order"}.get(name)
    others = {"mark_as_read", "chat_message", "accept_order"} - {own}
    answers(world, name, [json.dumps({"type": kind}) for kind in sorted(others)], {"unknown_type"})


WRONG_IDS = [None, "38", 1.5, True, [], {}, "", "x" * 5000]
NUMBERS_OUT_OF_RANGE = ["9" * 400, "-" + "9" * 400, "9223372036854775808", "1e400", "1E+2"]


@pytest.mark.parametrize("name, kind, field", [
    ("notifications", "mark_as_read", "notification_id"), ("chat", "read_message", "message_id"),
    ("driver", "accept_order", "order_id"), ("driver", "decline_order", "order_id"),
    ("driver", "ack_order", "order_id"),
])
def test_ids_of_wrong_types(world, name, kind, field):
    texts = [json.dumps({"type": kind, field: value}) for value in WRONG_IDS]
    texts += [f'{{"type":"{kind}"}}']
    answers(world, name, texts, {"invalid_message"})
    huge = [f'{{"type":"{kind}","{field}":{number}}}' for number in NUMBERS_OUT_OF_RANGE]
    answers(world, name, huge, {"invalid_message", "invalid_json", "not_found"})


@pytest.mark.parametrize("name, kind, field", [
    ("notifications", "mark_as_read", "notification_id"), ("chat", "read_message", "message_id"),
])
def test_unknown_ids(world, name, kind, field):
    texts = [json.dumps({"type": kind, field: value}) for value in (0, -1, 10**9, 2**63 - 1, -(2**63))]
    answers(world, name, texts, {"not_found"})


@pytest.mark.parametrize("kind", ["accept_order", "decline_order"])
def test_unknown_orders(world, kind):
    texts = [json.dumps({"type": kind, "order_id": value}) for value in (0, -1, 10**9, 2**63 - 1)]
    answers(world, "driver", texts, {"not_found", "offer_expired"})


def test_another_riders_order(world):
    other = place_order(world.server.user(), latitude_from=10, longitude_from=10)
    for kind in ("accept_order", "decline_order"):
        answers(world, "driver", [json.dumps({"type": kind, "order_id": other["id"]})],
                {"not_found", "offer_expired"})


@pytest.mark.parametrize("position", [
    {}, {"latitude": 41}, {"latitude": 91, "longitude": 0}, {"latitude": "x", "longitude": 0},
    {"latitude": None, "longitude": None}, {"latitude": True, "longitude": 1}, {"latitude": [41], "longitude": 69},
    {"latitude": "NaN", "longitude": "inf"}, {"latitude": "1e400", "longitude": 0},
])
def test_bad_positions(world, position):
    answers(world, "driver", [json.dumps({"type": "location", **position})], {"invalid_message"})


@pytest.mark.parametrize("message", [
    {"type": "chat_message"}, {"type": "chat_message", "message": 5}, {"type": "chat_message", "message": None},
    {"type": "chat_message", "message": ["x"]}, {"type": "chat_message", "message": {"text": "x"}},
    {"type": "chat_message", "message": "x", "client_id": 5}, {"type": "typing"},
    {"type": "typing", "is_typing": "yes"}, {"type": "typing", "is_typing": 1},
])
def test_bad_chat_messages(world, message):
    answers(world, "chat", [json.dumps(message)], {"invalid_message"})


@pytest.mark.parametrize("fields", [
    {"sender_id": 1, "is_from_support": True, "sender_name": "Admin", "message_id": 1, "conversation_id": 1},
    {"unknown": HUGE, "more": [None] * 100},
])
def test_fields_that_are_not_the_senders_to_set_change_nothing(world, fields):
    socket = world.open("chat")
    socket.send({"type": "chat_message", "message": "x", **fields})
    message = socket.receive()
    if message["type"] == "chat_message":
        assert (message["sender_id"], message["is_from_support"]) == (world.rider.id, False)
        assert message["sender_name"] == world.rider.username
        world.neighbours["chat"].expect("chat_message")
    else:
        assert message["code"] in ("invalid_message", "invalid_json")
    assert socket.so_far() == []


def test_injection_is_kept_as_text(world):
    socket = world.open("chat")
    for text in ("' OR 1=1--", "'; DROP TABLE holodrive_message;--", "%_\\", "<script>alert(1)</script>",
                 "\x1b[31mred\r\nline", "\u202eright to left"):
        socket.send({"type": "chat_message", "message": text})
        assert socket.expect("chat_message")["message"] == text
        assert world.neighbours["chat"].expect("chat_message")["message"] == text


@pytest.mark.parametrize("name", ENDPOINTS)
def test_nesting_of_a_hundred_thousand(start_server, name):
    server = start_server(MAX_MESSAGE_BYTES=1_000_000)
    rider, driver, _, order = accepted_order(server)
    paths = {"notifications": (rider, "/ws/notifications/"), "driver": (driver, "/ws/driver/orders/"),
             "chat": (rider, f"/ws/chat/{get_order(rider, order['id'])['conversation_id']}/"),
             "rider": (rider, "/ws/rider/orders/"), "tracking": (rider, f"/ws/order/{order['id']}/tracking/")}
    user, path = paths[name]
    socket = user.connect(path)
    socket.so_far()
    for text in ("[" * 100_000, '{"type":' * 100_000, '{"type":"ping","x":' + "[" * 100_000 + "]" * 100_000 + "}"):
        socket.send_raw(text)
        assert socket.expect("error")["code"] in ("invalid_json", "invalid_message")
    assert socket.so_far() == []


@pytest.mark.parametrize("name", ENDPOINTS)
def test_invalid_utf8_closes_this_connection_only(world, name):
    user, path = world.endpoints[name]
    with RawSocket(world.server, f"{path}?token={user.token}") as raw:
        raw.until("connection_established")
        raw.send_frame(TEXT, b'{"type":"\xff"}')
        messages, code = raw.rest()
        assert code == 1007
        assert all(message["type"] != "error" for message in messages)
    world.assert_undisturbed(name)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_binary_messages_are_not_understood(world, name):
    user, path = world.endpoints[name]
    with RawSocket(world.server, f"{path}?token={user.token}") as raw:
        raw.send({"type": "ping"})
        raw.until("pong")
        raw.send_frame(BINARY, b"\x00\x01\xff" * 100)
        assert raw.until("error")["code"] in ("invalid_json", "invalid_message")
        raw.send({"type": "ping"})
        assert raw.receive() == {"type": "pong"}
    world.assert_undisturbed(name)


HTTP_CALLS = [
    ("rider", "POST", "/api/orders/"), ("rider", "POST", "/api/conversations/"),
    ("rider", "POST", "/api/token/"), ("rider", "POST", "/api/token/refresh/"), ("rider", "POST", "/api/token/verify/"),
    ("rider", "POST", "/api/session/"), ("driver", "PUT", "/api/driver/status/"),
    ("driver", "PUT", "/api/driver/location/"),
]
BODIES = [b"{", b"[]", b"null", b'"\\ud800"', b'{"latitude_from":1e400}', b"\xff\xfe", b"[" * 50_000,
          b'{"username":{"a":[]},"password":1,"token":2,"refresh":[],"status":{},"latitude":"x","kind":[]}',
          b'{"username":"\\u0000","password":"\\u0000"}', b'{"rider_id":' + b"9" * 400 + b"}"]


@pytest.mark.parametrize("who, method, path", HTTP_CALLS, ids=[call[2] for call in HTTP_CALLS])
def test_bodies_that_make_no_sense(world, who, method, path):
    user = world.rider if who == "rider" else world.driver
    for body in BODIES:
        response = user.request(method, path, content=body, headers={"Content-Type": "application/json"})
        assert 400 <= response.status_code < 500, (body[:60], response.status_code, response.text)
        assert isinstance(response.json(), dict)
    world.server.assert_no_panic()


def test_other_content_types(world):
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        response = world.rider.request("POST", "/api/orders/", content=b"a=1", headers={"Content-Type": content_type})
        assert 400 <= response.status_code < 500
        assert {"detail", "code"} <= response.json().keys()
