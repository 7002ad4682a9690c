"""The nginx of the guide `docs/django.md`, word for word but for its ports, in front of both."""

import http.server
import re
import subprocess
import threading
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from holodrive import free_port, wait_until
from orders import NEAR, order_body
from sessions import create_session
from sockets import Socket

TEAPOT = 418
GUIDE = Path(__file__).parent.parent / "docs" / "django.md"


class Nginx:
    """nginx with the guide's configuration, between a port of its own and two servers."""

    def __init__(self, directory: Path, holodrive: int, django: int, orders_too: bool):
        self.port = free_port()
        block, orders = re.findall(r"```nginx\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
        if orders_too:
            block = f"{block.rstrip().removesuffix('}')}{orders}}}\n"
        replaced = {"listen 80;": f"listen 127.0.0.1:{self.port};", "server_name example.com;": "server_name 127.0.0.1;",
                    "server 127.0.0.1:8000;": f"server 127.0.0.1:{django};",
                    "server 127.0.0.1:9000;": f"server 127.0.0.1:{holodrive};"}
        for before, after in replaced.items():
            assert before in block, f"the guide has no {before}"
            block = block.replace(before, after)
        temporary = "".join(f"{name}_temp_path {directory}/{name};\n" for name in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        self.configuration = directory / "nginx.conf"
        self.configuration.write_text(
            f"daemon off;\npid {directory}/pid;\nerror_log {directory}/error.log;\nevents {{}}\n"
            f"http {{\naccess_log off;\n{temporary}{block}}}\n"
        )
        self.process = subprocess.Popen(["nginx", "-e", directory / "error.log", "-p", directory, "-c", self.configuration])

    def socket(self, path: str, **options) -> Socket:
        return Socket.open(f"ws://127.0.0.1:{self.port}{path}", **options)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)


class Django(http.server.ThreadingHTTPServer):
    """Stands where Django would; whoever is answered by it sees a teapot."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_error(TEAPOT)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture(params=[False])
def behind_nginx(request, start_server, tmp_path):
    """nginx and the server behind it; the parameter says whether orders have moved too."""
    server = start_server(TRUSTED_PROXIES="127.0.0.1", MAX_CONNECTIONS_PER_IP=1, ALLOWED_ORIGINS="https://example.com")
    folder = tmp_path / "nginx"
    folder.mkdir()
    django = Django()
    nginx = Nginx(folder, server.port, django.server_port, orders_too=request.param)
    wait_until(lambda: status(nginx, "/") == TEAPOT, "nginx answers")
    yield nginx, server
    nginx.stop()
    django.shutdown()


def status(nginx: Nginx, path: str) -> int | None:
    try:
        return httpx.get(f"http://127.0.0.1:{nginx.port}{path}", trust_env=False).status_code
    except httpx.TransportError:
        return None


def test_what_has_moved_goes_to_holodrive_and_everything_else_to_django(behind_nginx):
    nginx, server = behind_nginx
    driver, other = server.driver(), server.user()
    conversation = server.with_key("POST", "/api/conversations/", json={"participant_ids": [driver.id, other.id]}).json()["id"]
    for number, path in enumerate(("/ws/notifications/", f"/ws/chat/{conversation}/", "/ws/driver/orders/")):
        # There may be one connection of each address.
        address = {"X-Forwarded-For": f"203.0.113.{number}"}
        socket = nginx.socket(f"{path}?token={driver.token}", headers=address)
        assert socket.expect("connection_established")
        socket.send({"type": "ping"})
        socket.until("pong")
    for path in ("/ws/rider/orders/", "/ws/something/of/djangos/"):
        with pytest.raises(InvalidStatus) as refusal:
            nginx.socket(f"{path}?token={driver.token}")
        assert refusal.value.response.status_code == TEAPOT
    assert [status(nginx, path) for path in ("/", "/admin/", "/api/me/")] == [TEAPOT] * 3


@pytest.mark.parametrize("behind_nginx", [True], indirect=True)
def test_what_apps_call_goes_to_holodrive_once_orders_have_moved(behind_nginx):
    nginx, server = behind_nginx
    rider, driver = server.user(), server.driver(at=NEAR)
    driver.set_status("online")
    with httpx.Client(base_url=f"http://127.0.0.1:{nginx.port}", trust_env=False) as http:
        def call(user, method: str, path: str, body=None) -> dict:
            response = http.request(method, path, json=body, headers={"Authorization": f"Bearer {user.token}"})
            assert response.status_code in {200, 201, 204}, (path, response.status_code, response.text)
            return response.json() if response.content else {}

        socket = nginx.socket(f"/ws/rider/orders/?token={rider.token}", headers={"X-Forwarded-For": "203.0.113.1"})
        socket.until("initial_orders")
        call(driver, "PUT", "/api/devices/", {"platform": "fcm", "token": "behind-nginx"})
        call(driver, "PUT", "/api/driver/location/", {"latitude": NEAR[0], "longitude": NEAR[1]})
        order = call(rider, "POST", "/api/orders/", order_body())["id"]
        wait_until(lambda: call(driver, "GET", "/api/driver/orders/")["results"], "it is offered")
        call(driver, "POST", f"/api/driver/orders/{order}/accept/", {})
        socket.until("rider_order_updated")
        tracking = nginx.socket(f"/ws/order/{order}/tracking/?token={rider.token}", headers={"X-Forwarded-For": "203.0.113.2"})
        tracking.until("driver_location_update")
    assert [status(nginx, path) for path in ("/api/me/", "/api/ordersomething/", "/ws/riders/")] == [TEAPOT] * 3


def test_a_session_of_the_page_opens_the_socket(behind_nginx):
    nginx, server = behind_nginx
    staff = server.staff()
    cookie = f"sessionid={create_session(staff)}"
    socket = nginx.socket("/ws/notifications/", cookie=cookie, origin="https://example.com")
    assert socket.expect("connection_established")["user_id"] == str(staff.id)


def test_the_address_that_counts_is_the_clients_and_not_nginxs(behind_nginx):
    nginx, server = behind_nginx
    user = server.user()

    def connect(address: str) -> Socket:
        return nginx.socket(f"/ws/notifications/?token={user.token}", headers={"X-Forwarded-For": address})

    first = connect("203.0.113.9")
    first.expect("connection_established")
    connect("203.0.113.9").refused(4429, "rate_limited")
    connect("203.0.113.10").expect("connection_established")
