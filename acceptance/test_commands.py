"""The command line."""

import pytest

from holodrive import Server


def test_user_add_and_token(server):
    added = server.user_add("nargiza", "--password", "a good password", "--first-name", "Nargiza", "--group", "Driver")
    assert set(added) == {"id", "username"}
    assert added["username"] == "nargiza"
    token = server.token("nargiza")
    me = server.http.get("/api/me/", headers={"Authorization": f"Bearer {token}"}).json()
    assert (me["id"], me["name"], me["groups"], me["is_staff"]) == (added["id"], "Nargiza", ["Driver"], False)
    obtained = server.http.post("/api/token/", json={"username": "nargiza", "password": "a good password"})
    assert obtained.status_code == 200
    connected = server.connect(f"/ws/driver/orders/{token}")
    assert connected.receive()["driver_id"] == added["id"]


def test_staff(server):
    server.user_add("boss", "--password", "a good password", "--staff")
    token = server.token("boss", "--lifetime", "1h")
    assert server.http.get("/api/me/", headers={"Authorization": f"Bearer {token}"}).json()["is_staff"] is True


def test_a_name_is_taken_once(server):
    server.user_add("unique", "--password", "a good password")
    again = server.cli("user", "add", "unique", "--password", "a good password", check=False)
    assert again.returncode == 1
    assert len(again.stderr.strip().splitlines()) == 1
    assert "taken" in again.stderr


def test_token_for_nobody(server):
    result = server.cli("token", "nobody-at-all", check=False)
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("arguments", [["dance"], ["user"], ["user", "add"], ["serve", "--no-such-option"]])
def test_usage_errors(server, arguments):
    assert server.cli(*arguments, check=False).returncode == 2


@pytest.mark.parametrize("name, value", [
    ("WEBSOCKET_PORT", "many"), ("ORDER_OFFER_TIMEOUT", "soon"), ("DISPATCH_MODE", "magic"),
    ("DATABASE_URL", "mysql://x"), ("MESSAGE_RATE", "-1"), ("LOG_FORMAT", "xml"),
])
def test_a_wrong_setting_stops_the_start_with_one_line(server, name, value):
    server.env[name], before = value, server.env.get(name)
    try:
        result = server.cli("serve", check=False)
    finally:
        server.env[name] = before
        if before is None:
            del server.env[name]
    assert result.returncode in (1, 2)
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    assert name in lines[0]


def test_config_masks_secrets(server):
    result = server.cli("config")
    assert server.env["SECRET_KEY"] not in result.stdout
    assert server.env["API_KEYS"] not in result.stdout
    assert "ORDER_OFFER_TIMEOUT" in result.stdout


def test_check(server):
    result = server.cli("check", check=False)
    assert result.returncode in (0, 1)
    assert result.stdout.strip()


def test_flag_beats_environment(server):
    line = next(line for line in server.cli("config", "--order-offer-timeout", "7.5").stdout.splitlines()
                if "ORDER_OFFER_TIMEOUT" in line)
    assert "7.5" in line


def test_user_add_before_anything_else(tmp_path):
    """On a fresh machine the account may come before the first start."""
    server = Server(tmp_path)
    server.cli("migrate")
    assert server.user_add("first", "--password", "a good password")["username"] == "first"
    assert len(server.token("first").split(".")) == 3
