"""Every call of the HTTP API: shapes, permissions, validation, paging, idempotency."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from holodrive import wait_until
from orders import NEAR, accepted_order, act, assert_order_shape, get_order, online_driver, order_body, place_order
from sessions import create_session
from users import PASSWORD, access_token

CSRF = "c" * 32


def assert_error(response, status: int, code: str | None = None, *fields: str):
    assert response.status_code == status, (response.status_code, response.text)
    body = response.json()
    assert isinstance(body["detail"], str) and body["detail"]
    assert isinstance(body["code"], str) and body["code"]
    if code:
        assert body["code"] == code, body
    for field in fields:
        assert body["errors"][field] and all(isinstance(text, str) for text in body["errors"][field]), body
    return body


# Tokens, as SimpleJWT answers

def obtain(server, user, password=PASSWORD):
    return server.http.post("/api/token/", json={"username": user.username, "password": password})


def test_obtain_refresh_verify(server):
    user = server.user()
    pair = obtain(server, user)
    assert pair.status_code == 200
    assert set(pair.json()) == {"access", "refresh"}
    refreshed = server.http.post("/api/token/refresh/", json={"refresh": pair.json()["refresh"]})
    assert (refreshed.status_code, set(refreshed.json())) == (200, {"access"})
    for token in (pair.json()["access"], pair.json()["refresh"], refreshed.json()["access"]):
        verified = server.http.post("/api/token/verify/", json={"token": token})
        assert (verified.status_code, verified.json()) == (200, {})
    me = server.http.get("/api/me/", headers={"Authorization": f"Bearer {refreshed.json()['access']}"})
    assert me.json()["id"] == user.id


@pytest.mark.parametrize("problem", ["wrong password", "unknown user", "inactive user"])
def test_obtain_refuses_alike(server, problem):
    user = server.user(is_active=problem != "inactive user")
    body = {"username": "nobody" if problem == "unknown user" else user.username,
            "password": "wrong" if problem == "wrong password" else PASSWORD}
    response = server.http.post("/api/token/", json=body)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="api"'
    assert response.json()["detail"] == "No active account found with the given credentials"
    assert response.json()["code"]


@pytest.mark.parametrize("path, body, missing", [
    ("/api/token/", {"username": "x"}, "password"),
    ("/api/token/", {"password": "x"}, "username"),
    ("/api/token/refresh/", {}, "refresh"),
    ("/api/token/verify/", {}, "token"),
])
def test_a_missing_field_of_the_token_endpoints(server, path, body, missing):
    response = server.http.post(path, json=body)
    assert response.status_code == 400
    assert response.json()[missing] == ["This field is required."]


def test_refresh_and_verify_refuse_as_simplejwt_does(server):
    user = server.user()
    wrong_type = server.http.post("/api/token/refresh/", json={"refresh": user.token})
    assert (wrong_type.status_code, wrong_type.json()) == (
        401, {"detail": "Token has wrong type", "code": "token_not_valid"})
    for path, field in (("/api/token/refresh/", "refresh"), ("/api/token/verify/", "token")):
        garbage = server.http.post(path, json={field: "garbage"})
        assert (garbage.status_code, garbage.json()) == (
            401, {"detail": "Token is invalid", "code": "token_not_valid"})
        assert garbage.headers["www-authenticate"] == 'Bearer realm="api"'
        expired = server.http.post(path, json={field: access_token(user.id, lifetime=-5, token_type="refresh")})
        assert (expired.status_code, expired.json()["code"]) == (401, "token_not_valid")


def test_refresh_for_an_inactive_user(server):
    user = server.user(is_active=False)
    refresh = access_token(user.id, token_type="refresh")
    response = server.http.post("/api/token/refresh/", json={"refresh": refresh})
    assert response.status_code == 401
    assert response.json()["detail"] == "No active account found for the given token."


def test_login_rate(start_server):
    server = start_server(LOGIN_RATE=3)
    user = server.user()
    statuses = [obtain(server, user, "wrong").status_code for _ in range(6)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    assert_error(obtain(server, user), 429, "rate_limited")


# Sessions and CSRF

def log_in(server, user):
    return server.http.post("/api/session/", json={"username": user.username, "password": PASSWORD})


def test_login_sets_djangos_cookie(start_server):
    server = start_server()
    user = server.user()
    response = log_in(server, user)
    assert response.is_success, response.text
    cookie = next(value for value in response.headers.get_list("set-cookie") if value.startswith("sessionid="))
    assert re.match(r"sessionid=[a-z0-9]{32};", cookie)
    for attribute in ("httponly", "samesite=lax", "path=/"):
        assert attribute in cookie.lower()
    assert server.http.get("/api/me/").json()["username"] == user.username


def test_login_with_a_wrong_password(start_server):
    server = start_server()
    response = server.http.post("/api/session/", json={"username": server.user().username, "password": "wrong"})
    assert_error(response, 401)
    assert "set-cookie" not in response.headers


def test_logout_ends_the_session(start_server):
    server = start_server()
    log_in(server, server.user())
    csrf = server.http.cookies["csrftoken"]
    assert server.http.delete("/api/session/", headers={"X-CSRFToken": csrf}).is_success
    assert server.rows("SELECT count(*) FROM django_session")[0][0] == 0
    server.http.cookies.clear()
    assert server.http.get("/api/me/").status_code == 401


def with_session(server, user, method, path, *, csrf_cookie=CSRF, csrf_header=CSRF, **options):
    cookies = f"sessionid={create_session(user)}"
    if csrf_cookie:
        cookies += f"; csrftoken={csrf_cookie}"
    headers = {"Cookie": cookies, **({"X-CSRFToken": csrf_header} if csrf_header else {}),
               **options.pop("headers", {})}
    return server.http.request(method, path, headers=headers, **options)


def test_reading_with_a_session_needs_no_csrf_token(server):
    user = server.user()
    response = with_session(server, user, "GET", "/api/me/", csrf_cookie=None, csrf_header=None)
    assert response.json()["id"] == user.id


def test_writing_with_a_session_needs_the_csrf_token(server):
    user = server.user()
    assert with_session(server, user, "POST", "/api/orders/", json=order_body()).status_code == 201


@pytest.mark.parametrize("csrf", [
    {"csrf_header": None}, {"csrf_cookie": None}, {"csrf_header": "d" * 32}, {"csrf_header": "short"},
    {"headers": {"Origin": "http://evil.example"}},
])
def test_writing_without_a_good_csrf_token_is_refused(server, csrf):
    user = server.user()
    assert_error(with_session(server, user, "POST", "/api/orders/", json=order_body(), **csrf), 403)
    assert user.get("/api/orders/").json()["results"] == []


def test_a_bearer_token_needs_no_csrf_token(server):
    user = server.user()
    assert user.post("/api/orders/", order_body(), headers={"Cookie": "csrftoken=x"}).status_code == 201


# Me

def test_me(server):
    user = server.user(first_name="Ali", last_name="Valiyev", groups=["Driver", "Night"], is_staff=True)
    me = user.get("/api/me/").json()
    assert sorted(me.pop("groups")) == ["Driver", "Night"]
    assert me == {"id": user.id, "username": user.username, "name": "Ali Valiyev", "is_staff": True,
                  "websocket_url": server.authority}


def test_websocket_url_is_what_the_setting_says(start_server):
    server = start_server(WEBSOCKET_URL="your-domain.com:9000")
    assert server.user().get("/api/me/").json()["websocket_url"] == "your-domain.com:9000"


def test_slash_at_the_end_is_optional(server):
    user = server.user()
    assert user.get("/api/me").json() == user.get("/api/me/").json()


# Orders

def test_create_order(server):
    rider = server.user()
    response = rider.post("/api/orders/", order_body())
    assert response.status_code == 201
    order = response.json()
    assert_order_shape(order)
    assert order["status"] in ("searching", "pending")
    assert (order["order_type"], order["latitude_from"], order["longitude_to"]) == (
        "pickup", "41.311081", "69.240074")
    assert (order["driver_id"], order["conversation_id"]) == (None, None)
    assert get_order(rider, order["id"])["id"] == order["id"]


def test_order_type_is_kept(server):
    assert place_order(server.user(), order_type="delivery")["order_type"] == "delivery"


@pytest.mark.parametrize("field, value", [
    ("latitude_from", 91), ("latitude_to", "-90.1"), ("longitude_from", 180.5), ("longitude_to", "east"),
    ("latitude_from", None), ("latitude_from", True), ("latitude_from", "NaN"), ("latitude_from", "1e400"),
    ("address_from", None), ("address_to", 5), ("address_from", "x" * 100_000), ("order_type", 7),
])
def test_bad_fields_of_an_order_are_named(server, field, value):
    rider = server.user()
    response = rider.post("/api/orders/", order_body(**{field: value}))
    if response.status_code == 413:
        assert len(str(value)) > 65536
        return
    assert_error(response, 400, None, field)
    assert rider.get("/api/orders/").json()["results"] == []


def test_all_bad_fields_are_named_at_once(server):
    response = server.user().post("/api/orders/", {"latitude_from": 91, "longitude_to": "x"})
    assert_error(response, 400, None, "latitude_from", "longitude_to", "address_from", "address_to")


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b'"x"', b"\xff", b"", b'{"a":' * 100_000])
def test_a_body_that_is_no_object(server, body):
    headers = {"Content-Type": "application/json"}
    response = server.user().request("POST", "/api/orders/", content=body, headers=headers)
    assert response.status_code in (400, 413), response.text
    assert {"detail", "code"} <= response.json().keys()


def test_staff_and_keys_order_for_a_rider(server):
    rider, staff = server.user(), server.staff()
    for response in (staff.post("/api/orders/", order_body(rider_id=rider.id)),
                     server.with_key("POST", "/api/orders/", json=order_body(rider_id=rider.id))):
        assert response.status_code == 201, response.text
    assert len(rider.get("/api/orders/").json()["results"]) == 2


def test_a_key_must_name_the_rider(server):
    assert_error(server.with_key("POST", "/api/orders/", json=order_body()), 400, None, "rider_id")
    response = server.with_key("POST", "/api/orders/", json=order_body(rider_id=10**9))
    assert response.status_code in (400, 404)


def test_a_rider_cannot_order_for_somebody_else(server):
    rider, victim = server.user(), server.user()
    response = rider.post("/api/orders/", order_body(rider_id=victim.id))
    assert response.status_code in (400, 403) or response.json()["rider_id"] == rider.id
    assert victim.get("/api/orders/").json()["results"] == []


def test_fields_that_are_not_the_riders_to_set_are_ignored_or_refused(server):
    rider = server.user()
    response = rider.post("/api/orders/", order_body(status="completed", driver_id=1, id=777777))
    if response.status_code == 201:
        order = response.json()
        assert (order["status"] in ("searching", "pending"), order["driver_id"], order["id"] == 777777) == (
            True, None, False)
    else:
        assert response.status_code == 400


def test_orders_per_rider(start_server):
    server = start_server(ORDERS_PER_RIDER=1)
    rider = server.user()
    first = place_order(rider)
    assert_error(rider.post("/api/orders/", order_body()), 409)
    assert rider.post(f"/api/orders/{first['id']}/cancel/").is_success
    place_order(rider)


def test_orders_are_paged(server):
    rider = server.user()
    ids = [place_order(rider)["id"] for _ in range(5)]
    seen, cursor = [], None
    while True:
        query = "/api/orders/?limit=2" + (f"&cursor={cursor}" if cursor else "")
        page = rider.get(query).json()
        assert set(page) == {"results", "next"}
        assert len(page["results"]) <= 2
        seen += [order["id"] for order in page["results"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert sorted(seen) == ids
    assert len(seen) == 5


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "limit=201", "cursor=%00", "cursor=garbage"])
def test_bad_paging(server, query):
    response = server.user().get(f"/api/orders/?{query}")
    if query == "limit=201" and response.status_code == 200:
        return
    assert_error(response, 400)


def test_cancel_twice(server):
    rider = server.user()
    order = place_order(rider)
    assert rider.post(f"/api/orders/{order['id']}/cancel/").is_success
    assert get_order(rider, order["id"])["status"] == "cancelled"
    again = rider.post(f"/api/orders/{order['id']}/cancel/")
    assert again.status_code in (200, 409)


# Who may do what

CALLS = [
    # method, path, body, allowed roles
    ("GET", "/api/orders/{order}/", None, {"rider", "driver", "staff"}),
    ("GET", "/api/orders/{order}/events/", None, {"rider", "driver", "staff"}),
    ("POST", "/api/orders/{order}/assign/", {"driver_id": 1}, {"staff", "key"}),
    ("POST", "/api/orders/{order}/cancel/", {}, {"rider", "staff"}),
    ("GET", "/api/driver/orders/", None, {"driver", "other driver"}),
    ("PUT", "/api/driver/status/", {"status": "online"}, {"driver", "other driver"}),
    ("PUT", "/api/driver/location/", {"latitude": 41, "longitude": 69}, {"driver", "other driver"}),
    ("POST", "/api/driver/orders/{order}/arrive/", {}, {"driver"}),
    ("POST", "/api/driver/orders/{order}/release/", {}, {"driver"}),
    ("GET", "/api/conversations/{conversation}/messages/", None, {"rider", "driver", "staff"}),
    ("POST", "/api/conversations/{conversation}/messages/", {"message": "x"}, {"rider", "driver", "staff"}),
    ("POST", "/api/conversations/", {"participant_ids": ["{rider}"]}, {"staff", "key"}),
    ("POST", "/api/notifications/", {"user_id": "{rider}", "title": "T", "message": "M", "notification_type": "t"},
     {"staff", "key"}),
    ("GET", "/api/notifications/", None, {"rider", "driver", "other rider", "other driver", "staff"}),
    ("POST", "/api/notifications/{notification}/read/", {}, {"rider"}),
    ("GET", "/api/notifications/{notification}/deliveries/", None, {"staff", "key"}),
    ("POST", "/api/notifications/read-all/", {}, {"rider", "driver", "other rider", "other driver", "staff"}),
    ("GET", "/api/me/", None, {"rider", "driver", "other rider", "other driver", "staff"}),
]
ROLES = ["rider", "driver", "other rider", "other driver", "staff", "key", "anonymous"]


class World:
    """One trip with everybody who could want something of it."""

    def __init__(self, server):
        self.server = server
        rider, driver, _, order = accepted_order(server)
        self.users = {"rider": rider, "driver": driver, "other rider": server.user(),
                      "other driver": server.driver(), "staff": server.staff()}
        notifications = rider.get("/api/notifications/").json()["results"]
        conversation = get_order(rider, order["id"])["conversation_id"]
        self.ids = {"order": order["id"], "conversation": conversation, "rider": rider.id,
                    "notification": notifications[0]["id"]}

    def request(self, role: str, method: str, path: str, body):
        path, options = path.format(**self.ids), {}
        if body is not None:
            options["json"] = self.filled(body)
        if role == "key":
            return self.server.with_key(method, path, **options)
        if role == "anonymous":
            return self.server.http.request(method, path, **options)
        return self.users[role].request(method, path, **options)

    def filled(self, value):
        if isinstance(value, dict):
            return {name: self.filled(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        return self.ids["rider"] if value == "{rider}" else value


@pytest.mark.parametrize("method, path, body, allowed", CALLS, ids=[f"{call[0]} {call[1]}" for call in CALLS])
def test_permissions(start_server, method, path, body, allowed):
    world = World(start_server())
    before = get_order(world.users["rider"], world.ids["order"])
    for role in ROLES:
        if role in allowed:
            continue
        response = world.request(role, method, path, body)
        expected = (401,) if role == "anonymous" else (403, 404, 409) if "/driver/orders/{" in path else (403, 404)
        assert response.status_code in expected, (role, response.status_code, response.text)
        assert {"detail", "code"} <= response.json().keys()
    assert get_order(world.users["rider"], world.ids["order"]) == before
    for role in sorted(allowed):
        response = world.request(role, method, path, body)
        assert response.status_code not in (401, 403), (role, response.status_code, response.text)


def test_anonymous_is_told_how_to_authenticate(server):
    response = server.http.get("/api/me/")
    assert_error(response, 401)
    assert response.headers["www-authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("authorization", ["Bearer garbage", "Api-Key wrong", "Bearer a b", "Basic eDp5"])
def test_bad_authorization(server, authorization):
    assert_error(server.http.get("/api/me/", headers={"Authorization": authorization}), 401)


@pytest.mark.parametrize("path", ["/api/orders/{}/", "/api/orders/{}/events/", "/api/conversations/{}/messages/"])
@pytest.mark.parametrize("wrong_id", ["999999", "0", "-1", "abc", "9" * 30, "1.5", "%00"])
def test_unknown_ids(server, path, wrong_id):
    response = server.user().get(path.format(wrong_id))
    assert response.status_code in (403, 404), response.text
    assert {"detail", "code"} <= response.json().keys()


def test_anothers_order_looks_like_no_order(server):
    order = place_order(server.user())
    stranger = server.user()
    real, unknown = stranger.get(f"/api/orders/{order['id']}/"), stranger.get("/api/orders/987654/")
    assert (real.status_code, real.json()) == (unknown.status_code, unknown.json())


def test_wrong_methods_and_unknown_paths(server):
    user = server.user()
    assert_error(user.get("/api/nothing/"), 404)
    response = user.request("PATCH", "/api/me/")
    assert response.status_code == 405
    assert {"detail", "code"} <= response.json().keys()


# Drivers

@pytest.mark.parametrize("body, field", [
    ({"status": "busy"}, "status"), ({}, "status"), ({"status": 5}, "status"),
])
def test_bad_status(server, body, field):
    assert_error(server.driver().put("/api/driver/status/", body), 400, None, field)


@pytest.mark.parametrize("body, field", [
    ({"latitude": 91, "longitude": 0}, "latitude"), ({"latitude": 0}, "longitude"),
    ({"latitude": "x", "longitude": 0}, "latitude"), ({"latitude": 0, "longitude": -180.1}, "longitude"),
])
def test_bad_location(server, body, field):
    assert_error(server.driver().put("/api/driver/location/", body), 400, None, field)


def test_the_edges_of_the_world_are_valid(server):
    driver = server.driver()
    for latitude, longitude in ((90, 180), (-90, -180), ("0", "0.0")):
        driver.move_to(latitude, longitude)


# Conversations

def test_direct_conversation_lists_its_participants(server):
    first, second, staff = server.user(), server.user(), server.staff()
    response = staff.post("/api/conversations/", {"participant_ids": [first.id, second.id]})
    assert response.status_code == 201, response.text
    conversation_id = response.json()["id"]
    for member in (first, second):
        listed = member.get("/api/conversations/").json()["results"]
        assert [each["id"] for each in listed] == [conversation_id]
    assert server.user().get("/api/conversations/").json()["results"] == []


@pytest.mark.parametrize("body", [{}, {"kind": "party"}, {"participant_ids": []}, {"participant_ids": "all"},
                                  {"participant_ids": [10**9]}, {"kind": 1}])
def test_bad_conversations(server, body):
    assert_error(server.staff().post("/api/conversations/", body), 400)


def test_messages_are_newest_first_with_before_and_after(server):
    first, second = server.user(), server.user()
    conversation = server.with_key(
        "POST", "/api/conversations/", json={"participant_ids": [first.id, second.id]}).json()["id"]
    path = f"/api/conversations/{conversation}/messages/"
    ids = []
    for number in range(6):
        response = first.post(path, {"message": f"number {number}", "client_id": f"c{number}"})
        assert response.status_code == 201, response.text
        assert set(response.json()) == {"message", "sender_id", "sender_name", "is_from_support", "created_at",
                                        "message_id", "conversation_id", "client_id"}
        ids.append(response.json()["message_id"])

    def listed(query=""):
        return [message["message_id"] for message in second.get(path + query).json()["results"]]

    assert listed() == ids[::-1]
    assert listed(f"?before={ids[3]}") == ids[2::-1]
    assert sorted(listed(f"?after={ids[3]}")) == ids[4:]
    assert listed("?limit=2") == ids[:3:-1]


@pytest.mark.parametrize("body, field", [
    ({}, "message"), ({"message": ""}, "message"), ({"message": 5}, "message"), ({"message": "x" * 4001}, "message"),
    ({"message": "x", "client_id": "c" * 65}, "client_id"), ({"message": None}, "message"),
])
def test_bad_messages(server, body, field):
    user = server.user()
    conversation = user.post("/api/conversations/", {"kind": "support"}).json()["id"]
    assert_error(user.post(f"/api/conversations/{conversation}/messages/", body), 400, None, field)


# Notifications

@pytest.mark.parametrize("body", [
    {}, {"user_id": 1}, {"title": "T", "message": "M", "notification_type": "t"},
    {"user_id": "x", "title": "T", "message": "M", "notification_type": "t"},
    {"user_id": 10**9, "title": "T", "message": "M", "notification_type": "t"},
    {"user_id": 1, "group": "Driver", "title": "T", "message": "M", "notification_type": "t"},
    {"user_id": 1, "title": 5, "message": "M", "notification_type": "t"},
])
def test_bad_notifications(server, body):
    response = server.with_key("POST", "/api/notifications/", json=body)
    assert response.status_code in (400, 404), response.text
    assert {"detail", "code"} <= response.json().keys()


def test_unread_read_and_read_all(server):
    user, other = server.user(), server.user()
    body = {"title": "T", "message": "M", "notification_type": "t"}
    for _ in range(3):
        assert server.notify(user_ids=[user.id, other.id], **body).status_code == 201
    unread = user.get("/api/notifications/?status=unread").json()["results"]
    assert len(unread) == 3
    assert [each["id"] for each in unread] == sorted((each["id"] for each in unread), reverse=True)
    assert user.post(f"/api/notifications/{unread[0]['id']}/read/").is_success
    assert len(user.get("/api/notifications/?status=unread").json()["results"]) == 2
    assert user.post("/api/notifications/read-all/").is_success
    assert user.get("/api/notifications/?status=unread").json()["results"] == []
    assert len(user.get("/api/notifications/").json()["results"]) == 3
    assert len(other.get("/api/notifications/?status=unread").json()["results"]) == 3


def test_bad_status_filter(server):
    assert_error(server.user().get("/api/notifications/?status=lost"), 400)


# Idempotency

def test_a_repeated_request_gets_the_first_answer(start_server):
    server = start_server()
    rider = server.user()
    headers = {"Idempotency-Key": "order-1"}
    first = rider.post("/api/orders/", order_body(), headers=headers)
    again = rider.post("/api/orders/", order_body(), headers=headers)
    assert (again.status_code, again.json()) == (first.status_code, first.json()) == (201, first.json())
    assert len(rider.get("/api/orders/").json()["results"]) == 1
    server.kill()
    server.start()
    after_restart = rider.post("/api/orders/", order_body(), headers=headers)
    assert (after_restart.status_code, after_restart.json()) == (201, first.json())


def test_the_same_key_with_another_body_conflicts(server):
    rider = server.user()
    headers = {"Idempotency-Key": "order-2"}
    assert rider.post("/api/orders/", order_body(), headers=headers).status_code == 201
    other = rider.post("/api/orders/", order_body(address_to="Elsewhere"), headers=headers)
    assert_error(other, 409, "idempotency_conflict")


def test_keys_belong_to_their_user(server):
    headers = {"Idempotency-Key": "order-3"}
    first, second = server.user(), server.user()
    one = first.post("/api/orders/", order_body(), headers=headers).json()
    two = second.post("/api/orders/", order_body(), headers=headers).json()
    assert one["id"] != two["id"]


def test_keys_cover_every_unsafe_request(server):
    user = server.user()
    conversation = user.post("/api/conversations/", {"kind": "support"}).json()["id"]
    path = f"/api/conversations/{conversation}/messages/"
    headers = {"Idempotency-Key": "message-1"}
    answers = [user.post(path, {"message": "once"}, headers=headers).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(user.get(path).json()["results"]) == 1


def test_concurrent_requests_with_one_key_do_the_work_once(server):
    rider = server.user()
    headers = {"Idempotency-Key": "order-race"}
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda _: rider.post("/api/orders/", order_body(), headers=headers), range(8)))
    assert {response.status_code for response in responses} <= {201, 409}
    created = {response.json()["id"] for response in responses if response.status_code == 201}
    assert len(created) == 1
    assert len(rider.get("/api/orders/").json()["results"]) == 1


# Driver's calls over HTTP

def test_a_trip_over_http_alone(start_server):
    server = start_server()
    rider, driver = server.user(), server.driver(at=NEAR)
    driver.set_status("online")
    order = place_order(rider)
    poll = wait_until(lambda: driver.get("/api/driver/orders/").json()["results"], "an offer in the poll")
    assert poll[0]["id"] == order["id"]
    for action, status in (("accept", "accepted"), ("arrive", "arrived"), ("start", "in_progress")):
        response = act(driver, order["id"], action)
        assert (response.status_code, response.json()["status"]) == (200, status)
        assert driver.get("/api/driver/orders/").json()["trip"]["status"] == status
    assert act(driver, order["id"], "complete").json()["status"] == "completed"
    assert_error(rider.post(f"/api/orders/{order['id']}/cancel/"), 409)


def test_release_after_the_start_is_no_transition(start_server):
    _, driver, _, order = accepted_order(start_server())
    for action in ("arrive", "start"):
        assert act(driver, order["id"], action).status_code == 200
    assert_error(act(driver, order["id"], "release"), 409, "invalid_transition")


# The server itself

def test_health_and_metrics(server):
    assert server.http.get("/healthz").status_code == 200
    assert server.http.get("/readyz").status_code == 200
    metrics = server.http.get("/metrics")
    assert metrics.status_code == 200
    assert re.search(r"^holodrive_\w+(\{.*\})? \S+$", metrics.text, re.MULTILINE)


@pytest.mark.parametrize("path, version", [("/api/openapi.json", "openapi"), ("/api/asyncapi.json", "asyncapi")])
def test_api_documents(server, path, version):
    document = server.http.get(path).json()
    assert re.match(r"3\.", document[version])
    assert server.authority in str(document["servers"])


def test_api_docs_page(server):
    response = server.http.get("/api/docs")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")


def test_offers_and_poll_agree(start_server):
    server = start_server()
    driver, socket = online_driver(server)
    place_order(server.user())
    pushed = socket.expect("new_order")["order"]
    polled = driver.get("/api/driver/orders/").json()["results"][0]
    for order in (pushed, polled):
        order.pop("remaining_ms")
    assert pushed == polled
