"""User models of a project's own beside the server: a login by e-mail, keys that are UUIDs, other tables and columns."""

import contextlib
import json
import uuid

import httpx
import jwt
import pytest

from django_site import (CREW, ENGINES, MEMBERS, PASSWORD, QUICK_PASSWORDS, Browser, bearer, beside_django,
                         open_with_session)
from orders import NEAR, order_body
from users import SECRET_KEY, access_token

MODELS = [MEMBERS, CREW]


@pytest.fixture(scope="module", params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture(scope="module", params=MODELS, ids=lambda users: users.name)
def beside(request, tmp_path_factory, engine):
    """Django with a user model of its own, and the server beside it: (django, server)."""
    with beside_django(tmp_path_factory.mktemp("beside"), engine, request.param, QUICK_PASSWORDS) as both:
        yield both


@contextlib.contextmanager
def as_owner(server):
    """Commands in the role of the database's owner, who may write Django's tables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "env", {**server.env, **server.shared.owner_env})
        yield


def full_name(django, name: str) -> str:
    return "Ali Valiyev" if django.users.has_names else django.users.login_name(name)


def test_simplejwts_token_connects_and_names_the_user(beside):
    django, server = beside
    driver = django.create_user("driver1", group="Driver")
    token = django.access_token(driver)
    assert str(uuid.UUID(driver)) == driver == jwt.decode(token, SECRET_KEY, ["HS256"])[django.users.claim]
    assert server.connect(f"/ws/driver/orders/?token={token}").receive()["driver_id"] == driver
    assert server.connect(f"/ws/notifications/{driver}/{token}").receive()["user_id"] == driver
    assert server.http.get("/api/me/", headers=bearer(token)).json() == {
        "id": driver, "username": django.users.login_name("driver1"), "name": full_name(django, "driver1"),
        "groups": ["Driver"], "is_staff": False, "websocket_url": server.authority,
    }


def test_a_user_without_a_name_goes_by_his_address(beside):
    django, server = beside
    user = django.create_user("nameless1")
    if django.users.has_names:
        django.run(f"User.objects.filter(pk={user!r}).update(first_name='', last_name=None)")
    token = django.access_token(user)
    me = server.http.get("/api/me/", headers=bearer(token))
    assert (me.status_code, me.json()["name"]) == (200, django.users.login_name("nameless1")), me.text


def test_only_the_group_makes_a_driver(beside):
    django, server = beside
    rider = django.create_user("rider1", group="Rider")
    server.connect(f"/ws/driver/orders/?token={django.access_token(rider)}").refused(4403, "forbidden")


def test_leaving_the_group_closes_the_driver_socket(beside):
    django, server = beside
    driver = django.create_user("driver2", group="Driver")
    socket = server.connect(f"/ws/driver/orders/?token={django.access_token(driver)}")
    socket.expect("connection_established")
    django.run(f"User.objects.get(pk={driver!r}).groups.clear()")
    socket.refused(4403, "forbidden")


def test_a_login_by_email_opens_the_socket_until_logout(beside):
    django, server = beside
    admin = django.create_user("admin1", staff=True)
    browser = Browser(django.url)
    session = browser.log_in(django.users.login_name("admin1"))
    socket = open_with_session(django, server, session)
    assert socket.receive() == {"type": "connection_established", "message": "Connected to notifications", "user_id": admin}
    assert server.notify(user_id=admin, title="T", message="M", notification_type="t").status_code == 201
    assert socket.expect("notification")["notification"]["title"] == "T"
    assert browser.submit("/admin/logout/").status_code == 200
    socket.refused(4401, "unauthorized")
    open_with_session(django, server, session).refused(4401, "unauthorized")


def test_a_deleted_user_is_cut_off(beside):
    django, server = beside
    user = django.create_user("leaver1")
    token = django.access_token(user)
    socket = server.connect(f"/ws/notifications/?token={token}")
    socket.expect("connection_established")
    django.run(f"User.objects.get(pk={user!r}).delete()")
    socket.refused(4401, "unauthorized")
    server.connect(f"/ws/notifications/?token={token}").refused(4401, "unauthorized")


def test_deactivation_closes_the_socket(beside):
    django, server = beside
    user = django.create_user("leaver2")
    if "is_active" not in django.run("print([field.name for field in User._meta.fields])"):
        pytest.skip("nobody of this model is ever inactive")
    socket = server.connect(f"/ws/notifications/?token={django.access_token(user)}")
    socket.expect("connection_established")
    django.run(f"User.objects.filter(pk={user!r}).update(is_active=False)")
    socket.refused(4401, "unauthorized")


def test_tokens_of_both_are_good_for_both(beside):
    django, server = beside
    user = django.create_user("both1")
    login = {django.users.login_field: django.users.login_name("both1"), "password": PASSWORD}
    theirs = httpx.post(f"{django.url}/api/token/", json=login).json()
    assert server.connect(f"/ws/notifications/?token={theirs['access']}").receive()["user_id"] == user
    refreshed = server.http.post("/api/token/refresh/", json={"refresh": theirs["refresh"]}).json()["access"]
    ours = server.http.post("/api/token/", json=login).json()
    for token in (refreshed, *ours.values()):
        assert httpx.post(f"{django.url}/api/token/verify/", json={"token": token}).status_code == 200
        assert jwt.decode(token, SECRET_KEY, ["HS256"])[django.users.claim] == user
    answer = httpx.post(f"{django.url}/api/token/refresh/", json={"refresh": ours["refresh"]})
    assert answer.status_code == 200, answer.text


def test_both_answer_alike_on_the_token_endpoints(beside):
    django, server = beside
    django.create_user("alike1")
    login, name = django.users.login_field, django.users.login_name("alike1")
    for body in ({login: name, "password": "wrong"}, {login: name.upper(), "password": PASSWORD}, {login: name}, {},
                 {"username": name, "password": PASSWORD}, {login: "nobody@example.com", "password": "x"}):
        theirs = httpx.post(f"{django.url}/api/token/", json=body)
        ours = server.http.post("/api/token/", json=body)
        assert ours.status_code == theirs.status_code, (body, ours.text, theirs.text)
        assert theirs.json().items() <= ours.json().items(), (body, ours.json())


def test_a_session_made_by_us_is_a_session_for_django(beside):
    django, server = beside
    admin = django.create_user("console1", staff=True)
    name = django.users.login_name("console1")
    response = server.http.post("/api/session/", json={"username": name, "password": PASSWORD})
    session = server.http.cookies["sessionid"]
    server.http.cookies.clear()
    assert (response.status_code, response.json()["id"]) == (200, admin), response.text
    assert httpx.get(f"{django.url}/admin/", cookies={"sessionid": session}).status_code == 200
    assert open_with_session(django, server, session).receive()["user_id"] == admin


def test_staff_and_customer_chat(beside):
    django, server = beside
    staff, customer = django.create_user("admin2", staff=True), django.create_user("customer2")
    stranger = django.access_token(django.create_user("stranger2"))
    session = Browser(django.url).log_in(django.users.login_name("admin2"))
    token = django.access_token(customer)
    opened = server.http.post("/api/conversations/", json={"kind": "support"}, headers=bearer(token))
    conversation = opened.json()["id"]
    of_customer = server.connect(f"/ws/chat/{conversation}/?token={token}")
    of_staff = open_with_session(django, server, session, f"/ws/chat/{conversation}/")
    for socket in (of_customer, of_staff):
        socket.expect("connection_established")
    of_staff.send({"type": "chat_message", "message": "Hello, how can I help you?"})
    message = of_customer.expect("chat_message")
    assert (message["sender_id"], message["sender_name"], message["is_from_support"]) == (
        staff, full_name(django, "admin2"), True)
    of_customer.send({"type": "read_message", "message_id": message["message_id"]})
    assert of_staff.until("message_read")["read_by"] == customer
    of_customer.send({"type": "typing", "is_typing": True})
    assert of_staff.until("typing")["user"] == customer
    listed = server.http.get(f"/api/conversations/{conversation}/messages/", headers=bearer(token)).json()["results"]
    assert [each["sender_id"] for each in listed] == [staff]
    server.connect(f"/ws/chat/{conversation}/?token={stranger}").refused(4403, "forbidden")
    between = server.with_key("POST", "/api/conversations/", json={"participant_ids": [staff, customer]})
    assert between.status_code == 201, between.text
    of_customer = server.connect(f"/ws/chat/{between.json()['id']}/?token={token}")
    of_customer.expect("connection_established")


def test_notifications_for_one_for_several_and_for_a_group(beside):
    django, server = beside
    one, two = (django.create_user(name, group="Told") for name in ("told1", "told2"))
    sockets = {key: server.connect(f"/ws/notifications/?token={django.access_token(key)}") for key in (one, two)}
    for key, socket in sockets.items():
        assert socket.expect("connection_established")["user_id"] == key
    rest = {"message": "M", "notification_type": "t"}
    for whom, heard in (({"user_id": one}, [one]), ({"user_ids": [one, two]}, [one, two]), ({"group": "Told"}, [one, two])):
        title = json.dumps(whom)[:100]
        assert server.notify(**whom, title=title, **rest).status_code == 201
        for key in heard:
            assert sockets[key].expect("notification")["notification"]["title"] == title
    assert sockets[two].so_far() == []
    for nobody in (5, "5", "nobody", str(uuid.uuid4())):
        assert server.notify(user_id=nobody, title="T", **rest).status_code in (400, 404), nobody


def test_an_order_from_rider_to_driver(beside):
    django, server = beside
    rider, driver = django.create_user("rider3"), django.create_user("driver3", group="Driver")
    as_rider, as_driver = bearer(django.access_token(rider)), bearer(django.access_token(driver))
    socket = server.connect("/ws/driver/orders/", token=django.access_token(driver))
    assert socket.expect("connection_established")["driver_id"] == driver
    socket.expect("initial_orders")
    latitude, longitude = NEAR
    moved = server.http.put("/api/driver/location/", json={"latitude": latitude, "longitude": longitude}, headers=as_driver)
    assert moved.status_code == 204, moved.text
    order = server.http.post("/api/orders/", json=order_body(), headers=as_rider).json()
    assert socket.expect("new_order")["order"]["id"] == order["id"]
    accepted = server.http.post(f"/api/driver/orders/{order['id']}/accept/", json={}, headers=as_driver)
    assert accepted.status_code == 200, accepted.text
    seen = server.http.get(f"/api/orders/{order['id']}/", headers=as_rider).json()
    assert (seen["status"], seen["driver_id"]) == ("accepted", driver)
    actors = [event["actor_id"] for event in server.http.get(
        f"/api/orders/{order['id']}/events/", headers=as_rider).json()["results"]]
    assert {rider, driver} <= set(actors) <= {rider, driver, None}
    released = server.http.post(f"/api/driver/orders/{order['id']}/release/", json={}, headers=as_driver)
    assert released.status_code == 200, released.text
    cancelled = server.http.post(f"/api/orders/{order['id']}/cancel/", json={}, headers=as_rider)
    assert cancelled.status_code == 200, cancelled.text


def test_a_back_end_orders_and_assigns(beside):
    django, server = beside
    rider, driver = django.create_user("rider4"), django.create_user("driver4", group="Driver")
    order = server.with_key("POST", "/api/orders/", json={**order_body(), "rider_id": rider})
    assert order.status_code == 201, order.text
    order = order.json()["id"]
    assigned = server.with_key("POST", f"/api/orders/{order}/assign/", json={"driver_id": driver})
    assert assigned.status_code == 200, assigned.text
    of_rider = server.connect("/ws/rider/orders/", token=django.access_token(rider))
    assert of_rider.expect("connection_established")["rider_id"] == rider
    of_rider.expect("initial_orders")
    of_driver = server.connect("/ws/driver/orders/", token=django.access_token(driver))
    of_driver.expect("connection_established")
    assert [each["id"] for each in of_driver.expect("initial_orders")["orders"]] == [order]
    of_driver.send({"type": "accept_order", "order_id": order})
    assert of_driver.until("order_accepted")["order"]["driver_id"] == driver
    assert of_rider.until("rider_order_updated")["order"]["driver_id"] == driver
    for nobody in (7, "7", "", str(uuid.uuid4())):
        refused = server.with_key("POST", "/api/orders/", json={**order_body(), "rider_id": nobody})
        assert refused.status_code in (400, 404), (nobody, refused.text)


def test_a_token_of_another_kind_of_key_is_nobodys(beside):
    django, server = beside
    for name in (1, "1", "nobody", "", str(uuid.uuid4()), "\0", "99999999999999999999", True):
        token = access_token(0, **{"user_id": None, django.users.claim: name})
        server.connect(f"/ws/notifications/?token={token}").refused(4401, "unauthorized")


def test_check_finds_everything(beside):
    _, server = beside
    result = server.cli("check", check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert server.env["AUTH_USER_TABLE"] in result.stdout


def test_a_user_is_added_where_the_table_takes_him(beside):
    django, server = beside
    name = django.users.login_name("added1")
    with as_owner(server):
        result = server.cli("user", "add", name, "--password", PASSWORD, "--group", "Driver", check=False)
    if django.users is MEMBERS:
        assert result.returncode == 1
        assert "phone" in result.stderr and len(result.stderr.strip().splitlines()) == 1, result.stderr
        assert django.run(f"print(User.objects.filter(email={name!r}).count())") == "0"
        return
    assert result.returncode == 0, result.stderr
    added = json.loads(result.stdout)
    assert str(uuid.UUID(added["id"])) == added["id"]
    assert server.connect(f"/ws/driver/orders/?token={django.access_token(added['id'])}").receive()["driver_id"] == added["id"]
    with as_owner(server):
        for options in (["--staff"], ["--first-name", "Ali"]):
            refused = server.cli("user", "add", "x" + name, "--password", PASSWORD, *options, check=False)
            assert (refused.returncode, refused.stderr.count("\n")) == (1, 1) and "no column" in refused.stderr
        taken = server.cli("user", "add", name, "--password", PASSWORD, check=False)
        assert taken.returncode == 1 and "taken" in taken.stderr
    assert django.run(
        "from django.contrib.auth import authenticate\n"
        f"print(authenticate(username={name!r}, password={PASSWORD!r}).pk)") == added["id"]


def test_a_role_that_only_reads_adds_nobody(beside, engine):
    if engine == "sqlite":
        pytest.skip("SQLite has no roles")
    django, server = beside
    result = server.cli("user", "add", django.users.login_name("added2"), "--password", PASSWORD, check=False)
    assert result.returncode == 1
    assert "permission denied" in result.stderr and len(result.stderr.strip().splitlines()) == 1, result.stderr
