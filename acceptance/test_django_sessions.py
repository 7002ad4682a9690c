"""Sessions beside Django: rotated keys, the engines that can be shared and those that cannot, and none at all."""

import pytest

from django_site import (CREW, ENGINES, PASSWORD, QUICK_PASSWORDS, ROLE, Browser, Django, beside_django, database,
                         open_with_session)
from holodrive import Server
from users import SECRET_KEY

NEW_KEY = "the-key-after-the-rotation-0123456789-abcdefghijklmnopqrstuvw"
STORED_SESSIONS = "from django.contrib.sessions.models import Session\nprint(list(Session.objects.order_by('pk').values_list()))"
SESSIONS = "django.contrib.sessions.backends"


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


def wait_for_rechecks(django, server, rounds: int):
    """Each round somebody is cut off, which proves that the server looked at everybody again."""
    for number in range(rounds):
        user = django.create_user(f"canary{number}")
        canary = server.connect(f"/ws/notifications/?token={django.access_token(user)}")
        canary.expect("connection_established")
        django.run(f"User.objects.filter(pk={str(user)!r}).delete()")
        canary.refused(4401, "unauthorized")


def test_sessions_survive_the_rotation_of_the_key_and_tokens_do_not(tmp_path, engine):
    shared = database(engine, tmp_path)
    before = Django(shared, **QUICK_PASSWORDS)
    before.manage("migrate", "-v0")
    shared.admit_server()
    admin = before.create_user("admin1", staff=True)
    old_token = before.access_token(admin)
    before.serve()
    session = Browser(before.url).log_in("admin1")
    stored = before.run(STORED_SESSIONS)
    before.stop()
    after = Django(shared, secret_key=NEW_KEY, fallbacks=[SECRET_KEY], **QUICK_PASSWORDS)
    settings = {"ALLOWED_ORIGINS": "127.0.0.1", "RECHECK_INTERVAL": 0.2, "SECRET_KEY": NEW_KEY, **shared.server_env}
    forgetful = Server(tmp_path, **settings).start()
    open_with_session(after, forgetful, session).refused(4401, "unauthorized")
    forgetful.finish()
    server = Server(tmp_path, **settings, SECRET_KEY_FALLBACKS=f"a-key-before-that-one,{SECRET_KEY}").start()
    try:
        socket = open_with_session(after, server, session)
        assert socket.expect("connection_established")["user_id"] == str(admin)
        server.connect(f"/ws/notifications/?token={old_token}").refused(4401, "unauthorized")
        wait_for_rechecks(after, server, 2)
        assert socket.so_far() == []
        assert server.http.get("/api/me/", headers={"Cookie": f"sessionid={session}"}).json()["id"] == admin
        assert after.run(STORED_SESSIONS) == stored, "nothing of Django's is deleted or changed"
        new_token = after.access_token(admin)
        assert server.connect(f"/ws/notifications/?token={new_token}").receive()["user_id"] == str(admin)
        # Django itself gives the browser a new session at its next request.
        after.serve()
        browser = Browser(after.url)
        browser.cookies.set("sessionid", session, domain="127.0.0.1")
        assert browser.get("/admin/").status_code == 200
        assert browser.cookies["sessionid"] != session
        assert socket.refused(4401, "unauthorized")["reconnect"] is True
        open_with_session(after, server, browser.cookies["sessionid"]).expect("connection_established")
    finally:
        after.stop()
        server.finish()


def test_sessions_in_database_and_cache_are_read_from_the_database(tmp_path, engine):
    settings = {"SESSION_ENGINE": f"{SESSIONS}.cached_db", **QUICK_PASSWORDS}
    with beside_django(tmp_path, engine, settings=settings, SESSION_ENGINE=settings["SESSION_ENGINE"]) as (django, server):
        admin = django.create_user("admin1", staff=True)
        browser = Browser(django.url)
        session = browser.log_in("admin1")
        socket = open_with_session(django, server, session)
        assert socket.expect("connection_established")["user_id"] == str(admin)
        assert browser.get("/admin/").status_code == 200
        wait_for_rechecks(django, server, 1)
        assert socket.so_far() == []
        assert browser.submit("/admin/logout/").status_code == 200
        socket.refused(4401, "unauthorized")
        open_with_session(django, server, session).refused(4401, "unauthorized")


@pytest.mark.parametrize("engine_name", ["cache", "file", "signed_cookies"])
def test_other_engines_stop_the_start(tmp_path, engine_name):
    server = Server(tmp_path, SESSION_ENGINE=f"{SESSIONS}.{engine_name}")
    result = server.cli("serve", check=False)
    assert result.returncode != 0
    assert len(result.stderr.strip().splitlines()) == 1
    assert "SESSION_ENGINE" in result.stderr and f"{SESSIONS}.cached_db" in result.stderr


def test_a_site_without_sessions_refuses_cookies_and_takes_tokens(tmp_path, engine):
    shared = database(engine, tmp_path)
    django = Django(shared, **QUICK_PASSWORDS, ROOT_URLCONF="project.token_urls", MIDDLEWARE=[], INSTALLED_APPS=[
        "django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "rest_framework_simplejwt"])
    django.manage("migrate", "-v0")
    shared.admit_server()
    server = Server(tmp_path, ALLOWED_ORIGINS="127.0.0.1", RECHECK_INTERVAL=0.2, **shared.server_env)
    checked = server.cli("check", check=False)
    assert checked.returncode == 0 and "no table django_session" in checked.stdout, checked.stdout
    server.start()
    try:
        user = django.create_user("user1")
        open_with_session(django, server, "a" * 32).refused(4401, "unauthorized")
        token = django.access_token(user)
        socket = server.connect(f"/ws/notifications/?token={token}")
        assert socket.receive()["user_id"] == str(user)
        wait_for_rechecks(django, server, 1)
        assert socket.so_far() == []
        login = {"username": "user1", "password": PASSWORD}
        assert server.http.post("/api/token/", json=login).status_code == 200
        refused = server.http.post("/api/session/", json=login)
        assert (refused.status_code, refused.json()["code"]) == (409, "no_sessions")
    finally:
        django.stop()
        server.finish()


@pytest.fixture(scope="module", params=ENGINES)
def beside(request, tmp_path_factory):
    with beside_django(tmp_path_factory.mktemp("beside"), request.param, settings=QUICK_PASSWORDS) as both:
        yield both


@pytest.mark.parametrize("cookie", [
    r'"aaaaaaaaaaaaaaaa\000aaaaaaaaaaaaaaaa"', "a", "", "a" * 5000, "'; DROP TABLE django_session; --", "aaaaaaaaaaaaaaa%00",
    r'"\351aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"',
])
def test_a_cookie_that_no_session_has_is_refused_like_any_other(beside, cookie):
    django, server = beside
    open_with_session(django, server, cookie).refused(4401, "unauthorized")


def test_a_name_that_no_database_holds_is_nobodys(beside):
    django, server = beside
    django.create_user("user1")
    for name in ("user1\0", "\0", "USER1", "user1 "):
        answer = server.http.post("/api/token/", json={"username": name, "password": PASSWORD})
        assert answer.status_code in (400, 401), (name, answer.text)
    nobody = server.notify(group="a\0b", title="T", message="M", notification_type="t")
    assert nobody.status_code < 500, nobody.text


@pytest.mark.parametrize("variable, value", [
    ("AUTH_LOGIN_FIELD", "username"), ("JWT_USER_ID_FIELD", "number"), ("AUTH_USER_GROUPS_TABLE", "auth_user_groups"),
    ("AUTH_USER_GROUPS_USER_COLUMN", "user_id"), ("AUTH_USER_TABLE", "crew_member"),
])
def test_a_wrong_name_stops_the_start(tmp_path_factory, engine, variable, value):
    shared = migrated(tmp_path_factory, engine)
    directory = tmp_path_factory.mktemp("wrong")
    names = {**CREW.variables, variable: value}
    result = Server(directory, LOG_LEVEL="error", **shared.server_env, **names).cli("serve", check=False)
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert variable in result.stderr and value in result.stderr, result.stderr


_migrated = {}


def migrated(tmp_path_factory, engine: str):
    """One database of each engine with the tables of a custom user model."""
    if engine not in _migrated:
        _migrated[engine] = database(engine, tmp_path_factory.mktemp("crew"))
        Django(_migrated[engine], CREW).manage("migrate", "-v0")
        _migrated[engine].admit_server()
    return _migrated[engine]


def test_a_role_that_may_not_read_djangos_tables_is_told_so_at_the_start(tmp_path):
    shared = database("postgres", tmp_path)
    Django(shared).manage("migrate", "-v0")
    shared.admit_server()
    for table in ("django_session", "auth_user"):
        shared.execute(f"REVOKE ALL ON {table} FROM {ROLE}")
        result = Server(tmp_path, LOG_LEVEL="error", **shared.server_env).cli("serve", check=False)
        assert result.returncode == 1
        assert len(result.stderr.strip().splitlines()) == 1, result.stderr
        assert f"permission denied for table {table}" in result.stderr
        shared.execute(f"GRANT SELECT ON {table} TO {ROLE}")


def test_a_role_that_writes_no_sessions_serves_djangos(tmp_path):
    shared = database("postgres", tmp_path)
    django = Django(shared, **QUICK_PASSWORDS)
    django.manage("migrate", "-v0")
    shared.admit_server()
    shared.execute(f"REVOKE INSERT, DELETE ON django_session FROM {ROLE}")
    server = Server(tmp_path, ALLOWED_ORIGINS="127.0.0.1", **shared.server_env)
    checked = server.cli("check", check=False)
    assert checked.returncode == 0 and "GRANT INSERT, DELETE ON django_session" in checked.stdout, checked.stdout
    server.start()
    try:
        user = django.create_user("user1", staff=True)
        django.serve()
        session = Browser(django.url).log_in("user1")
        assert open_with_session(django, server, session).receive()["user_id"] == str(user)
        login = {"username": "user1", "password": PASSWORD}
        refused = server.http.post("/api/session/", json=login)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), refused.text
        assert server.http.post("/api/token/", json=login).status_code == 200
        assert server.http.get("/readyz").status_code == 200
    finally:
        django.stop()
        server.finish()
