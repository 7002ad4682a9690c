"""Starts the real server and speaks to it over HTTP."""

import json
import os
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import httpx

import db
from sockets import Socket
from users import API_KEY, SECRET_KEY, User, insert_user

STARTUP_SECONDS = 20

# Logins and connections of a whole test run come from one address, so limits by address are off.
DEFAULTS = {
    "SECRET_KEY": SECRET_KEY,
    "API_KEYS": API_KEY,
    "ALLOWED_ORIGINS": "http://good.example",
    "LOGIN_RATE": "0",
    "MAX_CONNECTIONS_PER_IP": "0",
    "DRAIN_TIMEOUT": "0.2",
}


def binary(variable: str = "HOLODRIVE_BIN") -> str:
    path = os.environ.get(variable)
    assert path and Path(path).is_file(), f"{variable} must name the built program; `cargo xtask test` sees to it"
    return path


def binary_with_failpoints() -> str:
    """The same program with the stops at which a crash test ends it."""
    return binary("HOLODRIVE_FAILPOINTS_BIN")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what: str, seconds: float = 10, interval: float = 0.02):
    """Polls until `condition()` is true and returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"never happened within {seconds} s: {what}"
        time.sleep(interval)


class Server:
    """One server process in a folder of its own, on a free port; on a database of its own unless one is given."""

    def __init__(self, directory: Path, arguments=("serve",), database=None, **env):
        self.directory = directory
        self.port = free_port()
        self.database = database or db.new(directory)
        self.name = f"holodrive-{self.port}"
        self.program = binary()
        self.arguments = list(arguments)
        # What the server is started under, such as a tracer.
        self.wrapper = []
        self.env = {
            "PATH": os.environ["PATH"],
            "WEBSOCKET_PORT": str(self.port),
            "DATABASE_URL": db.url(self.database, self.name),
            **DEFAULTS,
            **{name: str(value) for name, value in env.items()},
        }
        self.stderr_path = directory / "stderr.log"
        self.stdout_path = directory / "stdout.log"
        self.process = None
        self.sockets = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.http = httpx.Client(base_url=self.url, verify=context, trust_env=False, timeout=20)

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.authority}"

    def command(self, *arguments) -> list[str]:
        return [self.program, *map(str, arguments)]

    def start(self) -> "Server":
        with open(self.stdout_path, "ab") as out, open(self.stderr_path, "ab") as err:
            self.process = subprocess.Popen(
                self.wrapper + self.command(*self.arguments), cwd=self.directory, env=self.env, stdout=out, stderr=err
            )
        try:
            wait_until(self.is_ready, "ready", STARTUP_SECONDS)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.logs()}") from None
        return self

    def is_ready(self) -> bool:
        assert self.process.poll() is None, f"the server ended: {self.process.returncode}\n{self.logs()}"
        try:
            return self.http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def metric(self, name: str) -> float:
        """The value of a metric, whose name includes its labels."""
        lines = self.http.get("/metrics").text.splitlines()
        return next(float(line.removeprefix(name)) for line in lines if line.startswith(f"{name} "))

    def logs(self) -> str:
        paths = [path for path in (self.stdout_path, self.stderr_path) if path.exists()]
        return "\n".join(path.read_text(errors="replace")[-6000:] for path in paths)

    def kill(self):
        """Ends the process as a power cut would: no signal handler runs."""
        self.process.kill()
        self.process.wait()
        # Until PostgreSQL has noticed, it may still finish a commit.
        wait_until(lambda: not db.connections(self.database, self.name), "its connections have ended")

    def terminate(self) -> int:
        """Asks the process to end and returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def stop(self):
        for connection in self.sockets:
            connection.abort()
        if self.process and self.process.poll() is None:
            status = self.terminate()
            assert status == 0, f"exit status {status}\n{self.logs()}"
        self.http.close()

    def finish(self):
        """Stops the server at the end of a test, whatever state it is in, and looks for panics."""
        try:
            self.stop()
        finally:
            if self.process and self.process.poll() is None:
                self.kill()
        self.assert_no_panic()

    def assert_no_panic(self):
        if self.stderr_path.exists():
            text = self.stderr_path.read_text(errors="replace")
            assert "panicked" not in text, text[-6000:]

    def cli(self, *arguments, check=True, stdin="") -> subprocess.CompletedProcess:
        """Runs a subcommand with the server's own environment and folder."""
        result = subprocess.run(
            self.command(*arguments), cwd=self.directory, env=self.env, input=stdin, text=True,
            capture_output=True, timeout=30,
        )
        assert not check or result.returncode == 0, result.stderr
        return result

    def user_add(self, name: str, *options) -> dict:
        return json.loads(self.cli("user", "add", name, *options).stdout)

    def token(self, name: str, *options) -> str:
        return self.cli("token", name, *options).stdout.strip()

    def user(self, name: str | None = None, **fields) -> User:
        """A new user, written as Django would write it; see `users.insert_user` for the fields."""
        with db.connect(self.database) as database:
            return insert_user(self, database, name, **fields)

    def staff(self, name: str | None = None, **fields) -> User:
        return self.user(name, is_staff=True, **fields)

    def driver(self, name: str | None = None, at=None, **fields) -> User:
        """A driver; with `at` his position is reported too."""
        driver = self.user(name, groups=["Driver"], **fields)
        if at is not None:
            driver.move_to(*at)
        return driver

    def rows(self, statement: str, *parameters) -> list:
        with db.connect(self.database) as database:
            return database.execute(statement, parameters).fetchall()

    def execute(self, statement: str, *parameters):
        with db.connect(self.database) as database:
            database.execute(statement, parameters)

    def connect(self, path: str, user: User | None = None, **options) -> Socket:
        """Opens a socket; `user` puts his token into the query string."""
        if user is not None:
            path += ("&" if "?" in path else "?") + f"token={user.token}"
        connection = Socket.open(f"ws://{self.authority}{path}", **options)
        self.sockets.append(connection)
        return connection

    def notify(self, **body) -> httpx.Response:
        """Sends a notification as a trusted back end."""
        return self.with_key("POST", "/api/notifications/", json=body)

    def with_key(self, method: str, path: str, **options) -> httpx.Response:
        headers = {"Authorization": f"Api-Key {API_KEY}", **options.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **options)
