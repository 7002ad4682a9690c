"""A real Django project beside the server: the same database, SQLite's and PostgreSQL's, and the same SECRET_KEY."""

import httpx
import pytest

from django_site import ENGINES, PASSWORD, Browser, Django, bearer, beside_django, database, open_with_session
from holodrive import Server


@pytest.fixture(scope="module", params=ENGINES)
def beside(request, tmp_path_factory):
    """Django, and the server beside it: (django, server)."""
    with beside_django(tmp_path_factory.mktemp("beside"), request.param) as both:
        yield both


def test_simplejwts_access_token_connects(beside):
    django, server = beside
    driver = django.create_user("driver1", group="Driver")
    token = django.access_token(driver)
    assert server.connect(f"/ws/driver/orders/?token={token}").receive()["driver_id"] == driver
    assert server.connect(f"/ws/notifications/{token}").receive()["user_id"] == str(driver)
    assert server.http.get("/api/me/", headers=bearer(token)).json() == {
        "id": driver, "username": "driver1", "name": "Ali Valiyev", "groups": ["Driver"], "is_staff": False,
        "websocket_url": server.authority,
    }


def test_the_group_comes_from_django(beside):
    django, server = beside
    rider = django.create_user("rider1", group="Rider")
    server.connect(f"/ws/driver/orders/?token={django.access_token(rider)}").refused(4403, "forbidden")


def test_tokens_from_djangos_endpoints(beside):
    django, server = beside
    django.create_user("endpoint1")
    pair = httpx.post(f"{django.url}/api/token/", json={"username": "endpoint1", "password": PASSWORD}).json()
    assert server.connect(f"/ws/notifications/?token={pair['access']}").receive()["type"] == "connection_established"
    refreshed = server.http.post("/api/token/refresh/", json={"refresh": pair["refresh"]}).json()["access"]
    assert httpx.post(f"{django.url}/api/token/verify/", json={"token": refreshed}).status_code == 200


def test_our_tokens_are_good_for_simplejwt(beside):
    django, server = beside
    django.create_user("ours1")
    pair = server.http.post("/api/token/", json={"username": "ours1", "password": PASSWORD})
    assert pair.status_code == 200, pair.text
    for token in pair.json().values():
        verified = httpx.post(f"{django.url}/api/token/verify/", json={"token": token})
        assert (verified.status_code, verified.json()) == (200, {})
    refreshed = httpx.post(f"{django.url}/api/token/refresh/", json={"refresh": pair.json()["refresh"]})
    assert refreshed.status_code == 200


def test_both_answer_alike_on_the_token_endpoints(beside):
    django, server = beside
    django.create_user("alike1")
    for path, body in (
        ("/api/token/", {"username": "alike1", "password": "wrong"}), ("/api/token/", {"username": "nobody1", "password": "x"}),
        ("/api/token/", {"username": "alike1"}), ("/api/token/", {}), ("/api/token/refresh/", {"refresh": "garbage"}),
        ("/api/token/refresh/", {}), ("/api/token/verify/", {"token": "garbage"}), ("/api/token/verify/", {}),
    ):
        theirs = httpx.post(django.url + path, json=body)
        ours = server.http.post(path, json=body)
        assert ours.status_code == theirs.status_code, (path, body)
        assert theirs.json().items() <= ours.json().items(), (path, body, ours.json())
        assert ours.headers.get("www-authenticate") == theirs.headers.get("www-authenticate"), (path, body)


def test_a_session_of_the_admin_panel_opens_the_socket_until_logout(beside):
    django, server = beside
    admin = django.create_user("admin1", staff=True)
    browser = Browser(django.url)
    session = browser.log_in("admin1")
    socket = open_with_session(django, server, session)
    assert socket.receive() == {
        "type": "connection_established", "message": "Connected to notifications", "user_id": str(admin),
    }
    assert server.notify(user_id=admin, title="T", message="M", notification_type="t").status_code == 201
    assert socket.expect("notification")["notification"]["title"] == "T"
    assert browser.submit("/admin/logout/").status_code == 200
    socket.refused(4401, "unauthorized")
    open_with_session(django, server, session).refused(4401, "unauthorized")


def test_staff_enters_a_chat_with_the_session(beside):
    django, server = beside
    django.create_user("admin2", staff=True)
    session = Browser(django.url).log_in("admin2")
    token = django.access_token(django.create_user("customer2"))
    opened = server.http.post("/api/conversations/", json={"kind": "support"}, headers=bearer(token))
    conversation = opened.json()["id"]
    socket = open_with_session(django, server, session, f"/ws/chat/{conversation}/")
    assert socket.receive()["conversation_id"] == conversation
    socket.send({"type": "chat_message", "message": "Hello, how can I help you?"})
    message = socket.expect("chat_message")
    assert (message["sender_name"], message["is_from_support"]) == ("Ali Valiyev", True)


def test_a_password_change_in_django_ends_the_other_sessions(beside):
    django, server = beside
    django.create_user("admin3", staff=True)
    here, elsewhere = Browser(django.url), Browser(django.url)
    changed_by, other = here.log_in("admin3"), elsewhere.log_in("admin3")
    socket = open_with_session(django, server, other)
    socket.expect("connection_established")
    new = "another horse battery staple"
    response = here.submit("/admin/password_change/", old_password=PASSWORD, new_password1=new, new_password2=new)
    assert response.status_code == 302, response.text
    socket.refused(4401, "unauthorized")
    assert here.cookies["sessionid"] != changed_by
    open_with_session(django, server, here.cookies["sessionid"]).expect("connection_established")


def test_deactivation_in_django_closes_the_socket(beside):
    django, server = beside
    user = django.create_user("leaver1")
    socket = server.connect(f"/ws/notifications/?token={django.access_token(user)}")
    socket.expect("connection_established")
    django.run(f"User.objects.filter(pk={user}).update(is_active=False)")
    socket.refused(4401, "unauthorized")


def test_leaving_the_group_in_django_closes_the_driver_socket(beside):
    django, server = beside
    driver = django.create_user("driver2", group="Driver")
    socket = server.connect(f"/ws/driver/orders/?token={django.access_token(driver)}")
    socket.expect("connection_established")
    django.run(f"User.objects.get(pk={driver}).groups.clear()")
    socket.refused(4403, "forbidden")


def test_a_session_made_by_us_is_a_session_for_django(beside):
    django, server = beside
    django.create_user("console1", staff=True)
    server.http.cookies.clear()
    response = server.http.post("/api/session/", json={"username": "console1", "password": PASSWORD})
    assert response.is_success, response.text
    session = server.http.cookies["sessionid"]
    server.http.cookies.clear()
    page = httpx.get(f"{django.url}/admin/", cookies={"sessionid": session})
    assert page.status_code == 200
    assert "Ali" in page.text


def test_nothing_of_djangos_is_changed_by_serving(beside):
    django, server = beside
    user = django.create_user("untouched1")
    stored = f"print(User.objects.filter(pk={user}).values_list())"
    before = django.run(stored)
    token = django.access_token(user)
    server.connect(f"/ws/notifications/?token={token}").expect("connection_established")
    assert server.http.get("/api/me/", headers=bearer(token)).status_code == 200
    assert django.run(stored) == before


@pytest.mark.parametrize("engine", ENGINES)
def test_django_may_come_later(tmp_path, engine):
    """The server made the tables first; Django adopts them with its users and goes on."""
    shared = database(engine, tmp_path)
    server = Server(tmp_path, **shared.owner_env)
    server.cli("migrate")
    added = server.user_add("early", "--password", PASSWORD, "--group", "Driver", "--staff")
    django = Django(shared)
    django.manage("migrate", "-v0", "contenttypes")
    django.manage("migrate", "-v0", "auth", "--fake")
    django.manage("migrate", "-v0", "--fake-initial")
    assert django.manage("migrate", "--check") is not None
    assert django.run(
        "from django.contrib.auth import authenticate\n"
        f"user = authenticate(username='early', password={PASSWORD!r})\n"
        "print(user.id, user.is_staff, [group.name for group in user.groups.all()])"
    ) == f"{added['id']} True ['Driver']"
    late = django.create_user("late", group="Driver")
    server.start()
    try:
        token = django.access_token(late)
        assert server.connect(f"/ws/driver/orders/?token={token}").receive()["driver_id"] == late
    finally:
        server.finish()
        django.stop()
