"""A PostgreSQL server of the tests' own, in a temporary folder, on a free port.

As a program it runs a command with the server's address in the environment, and ends with it:
    python postgres_server.py cargo test --workspace
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

#: The variable that names the server to the tests.
VARIABLE = "HOLODRIVE_TEST_POSTGRES"
#: PostgreSQL refuses to run as root.
SERVER_USER = "postgres"


def program(name: str) -> str:
    """The newest version's; Debian keeps most of them out of `PATH`."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    found = str(versions[-1]) if versions else shutil.which(name)
    if not found:
        raise RuntimeError(f"{name} is not installed: apt-get install postgresql")
    return found


class PostgresServer:
    """A server with everything as by default, `fsync` included, that can be stopped, killed and frozen."""

    def __init__(self, **settings):
        self.user = pwd.getpwnam(SERVER_USER) if os.getuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="holodrive-postgres-"))
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.data = self.folder / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.run("initdb", "-D", self.data, "-U", "holodrive", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        lines = {"listen_addresses": "'127.0.0.1'", "port": self.port, "unix_socket_directories": f"'{self.folder}'",
                 "max_connections": 400, "log_min_messages": "warning", **settings}
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as configuration:
            configuration.writelines(f"{name} = {value}\n" for name, value in lines.items())
        self.start()

    def run(self, name: str, *arguments):
        result = subprocess.run([program(name), *map(str, arguments)], cwd=self.folder, capture_output=True, text=True,
                                **self.identity())
        assert result.returncode == 0, f"{name}: {result.stdout}{result.stderr}"
        return result.stdout

    def identity(self) -> dict:
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}

    def url(self, database: str = "postgres", user: str = "holodrive") -> str:
        return f"postgres://{user}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        self.run("createdb", "-h", "127.0.0.1", "-p", self.port, "-U", "holodrive", name)
        return self.url(name)

    def start(self):
        # The log must not be a pipe of ours: the server would keep it open.
        self.run("pg_ctl", "start", "-w", "-D", self.data, "-l", self.folder / "log")

    def stop(self, mode: str = "fast"):
        """`immediate` is as a crash: connections are cut, and the next start recovers."""
        self.run("pg_ctl", "stop", "-w", "-m", mode, "-D", self.data)

    def processes(self) -> list[int]:
        postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
        children = subprocess.run(["pgrep", "-P", str(postmaster)], capture_output=True, text=True)
        return [postmaster, *map(int, children.stdout.split())]

    def freeze(self):
        """It keeps its connections, and answers nothing any more."""
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals):
        """The first process comes first, so that no more begin; any other may just end."""
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    def repair(self):
        """Has it serve again, whatever was done to it."""
        if self.is_started():
            self.thaw()
        else:
            self.start()

    def is_started(self) -> bool:
        return (self.data / "postmaster.pid").exists()

    def finish(self):
        if self.is_started():
            self.thaw()
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)


def main() -> int:
    server = PostgresServer()
    try:
        return subprocess.run(sys.argv[1:], env={**os.environ, VARIABLE: server.url()}).returncode
    finally:
        server.finish()


if __name__ == "__main__":
    sys.exit(main())
