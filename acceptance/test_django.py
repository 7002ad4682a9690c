"""A real Django project beside the server: the same SQLite file and the same SECRET_KEY."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from holodrive import Server, free_port, wait_until
from users import SECRET_KEY

PROJECT = Path(__file__).parent / "django_project"
PASSWORD = "correct horse battery staple"


class Django:
    """The project, its `manage.py` and its development server."""

    def __init__(self, database: Path):
        self.port = free_port()
        self.env = {**os.environ, "SECRET_KEY": SECRET_KEY, "DATABASE_PATH": str(database),
                    "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def manage(self, *arguments) -> str:
        result = subprocess.run([sys.executable, "manage.py", *arguments], cwd=PROJECT, env=self.env, text=True,
                                capture_output=True, timeout=60)
        assert result.returncode == 0, result.stderr[-3000:]
        return result.stdout

    def run(self, code: str) -> str:
        """Runs a statement in Django's own shell and returns what it prints last."""
        return self.manage("shell", "--no-imports", "-c", code).strip().splitlines()[-1]

    def create_user(self, name: str, *, group=None, staff=False) -> int:
        return int(self.run(
            "from django.contrib.auth.models import Group, User\n"
            f"user = User.objects.create_user({name!r}, password={PASSWORD!r}, first_name='Ali', last_name='Valiyev')\n"
            f"user.is_staff = user.is_superuser = {staff}\n"
            "user.save()\n"
            f"if {group!r}: user.groups.add(Group.objects.get_or_create(name={group!r})[0])\n"
            "print(user.id)"
        ))

    def access_token(self, user_id: int) -> str:
        return self.run(
            "from django.contrib.auth.models import User\n"
            "from rest_framework_simplejwt.tokens import AccessToken\n"
            f"print(AccessToken.for_user(User.objects.get(pk={user_id})))"
        )

    def serve(self):
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{self.port}"],
            cwd=PROJECT, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        wait_until(self.is_up, "Django answers", seconds=30, interval=0.1)

    def is_up(self) -> bool:
        try:
            return httpx.get(f"{self.url}/admin/login/", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()


class Browser(httpx.Client):
    """A client with cookies that fills in Django's forms, CSRF token included."""

    def __init__(self, base_url: str):
        super().__init__(base_url=base_url, trust_env=False, follow_redirects=False, timeout=20)

    def submit(self, path: str, **fields) -> httpx.Response:
        form = self.get(path)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)
        fields["csrfmiddlewaretoken"] = token.group(1) if token else self.cookies["csrftoken"]
        return self.post(path, data=fields)

    def log_in(self, name: str, password: str = PASSWORD):
        response = self.submit("/admin/login/?next=/admin/", username=name, password=password)
        assert response.status_code == 302, response.text
        return self.cookies["sessionid"]


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """Django migrated first, then the server started on the same file: (django, server)."""
    directory = tmp_path_factory.mktemp("beside")
    (directory / "data").mkdir()
    django = Django(directory / "data" / "holodrive.db")
    django.manage("migrate", "-v0")
    server = Server(directory, ALLOWED_ORIGINS="127.0.0.1", RECHECK_INTERVAL=0.3)
    django.serve()
    server.start()
    yield django, server
    django.stop()
    server.finish()


def open_with_session(django, server, session: str):
    socket = server.connect("/ws/notifications/", cookie=f"sessionid={session}", origin=django.url)
    return socket, socket.receive()


def test_simplejwts_access_token_connects(beside):
    django, server = beside
    driver = django.create_user("driver1", group="Driver")
    token = django.access_token(driver)
    assert server.connect(f"/ws/driver/orders/?token={token}").receive()["driver_id"] == driver
    assert server.connect(f"/ws/notifications/{token}").receive()["user_id"] == str(driver)
    assert server.http.get("/api/me/", headers={"Authorization": f"Bearer {token}"}).json() == {
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
    socket, established = open_with_session(django, server, session)
    assert established == {
        "type": "connection_established", "message": "Connected to notifications", "user_id": str(admin),
    }
    assert server.notify(user_id=admin, title="T", message="M", notification_type="t").status_code == 201
    assert socket.expect("notification")["notification"]["title"] == "T"
    assert browser.submit("/admin/logout/").status_code == 200
    socket.refused(4401, "unauthorized")
    again = server.connect("/ws/notifications/", cookie=f"sessionid={session}", origin=django.url)
    again.refused(4401, "unauthorized")


def test_staff_enters_a_chat_with_the_session(beside):
    django, server = beside
    django.create_user("admin2", staff=True)
    session = Browser(django.url).log_in("admin2")
    customer = server.user()
    conversation = customer.post("/api/conversations/", {"kind": "support"}).json()["id"]
    socket = server.connect(f"/ws/chat/{conversation}/", cookie=f"sessionid={session}", origin=django.url)
    assert socket.receive()["conversation_id"] == conversation
    socket.send({"type": "chat_message", "message": "Hello, how can I help you?"})
    message = socket.expect("chat_message")
    assert (message["sender_name"], message["is_from_support"]) == ("Ali Valiyev", True)


def test_a_password_change_in_django_ends_the_other_sessions(beside):
    django, server = beside
    django.create_user("admin3", staff=True)
    here, elsewhere = Browser(django.url), Browser(django.url)
    changed_by, other = here.log_in("admin3"), elsewhere.log_in("admin3")
    socket, _ = open_with_session(django, server, other)
    new = "another horse battery staple"
    response = here.submit("/admin/password_change/", old_password=PASSWORD, new_password1=new, new_password2=new)
    assert response.status_code == 302, response.text
    socket.refused(4401, "unauthorized")
    assert here.cookies["sessionid"] != changed_by
    _, established = open_with_session(django, server, here.cookies["sessionid"])
    assert established["type"] == "connection_established"


def test_deactivation_in_django_closes_the_socket(beside):
    django, server = beside
    user = django.create_user("leaver1")
    socket = server.connect(f"/ws/notifications/?token={django.access_token(user)}")
    socket.expect("connection_established")
    django.run(f"from django.contrib.auth.models import User\nprint(User.objects.filter(pk={user}).update(is_active=False))")
    socket.refused(4401, "unauthorized")


def test_leaving_the_group_in_django_closes_the_driver_socket(beside):
    django, server = beside
    driver = django.create_user("driver2", group="Driver")
    socket = server.connect(f"/ws/driver/orders/?token={django.access_token(driver)}")
    socket.expect("connection_established")
    django.run(f"from django.contrib.auth.models import User\nprint(User.objects.get(pk={driver}).groups.clear())")
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
    before = [tuple(row) for row in server.rows("SELECT * FROM auth_user WHERE id = ?", user)]
    token = django.access_token(user)
    server.connect(f"/ws/notifications/?token={token}").expect("connection_established")
    assert server.http.get("/api/me/", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert [tuple(row) for row in server.rows("SELECT * FROM auth_user WHERE id = ?", user)] == before


def test_django_may_come_later(tmp_path):
    """The server made the tables first; Django adopts them with its users and goes on."""
    server = Server(tmp_path)
    server.cli("migrate")
    added = server.user_add("early", "--password", PASSWORD, "--group", "Driver", "--staff")
    django = Django(server.database)
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
