"""More sockets than one descriptor table holds: every event loop has a table of its own."""

import os
import socket
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

import strace
from holodrive import Server, wait_until
from orders import accepted_order
from sockets import CLOSE, PING, PONG, RawSocket

LIMIT = 256
LOOPS = 2
# Far more than one table takes, and somewhat less than two do.
CROWD = 400


def serve(directory, wrapper=(), **env) -> Server:
    server = Server(directory, EVENT_LOOPS=LOOPS, MAX_CONNECTIONS_PER_USER=0, **env)
    server.wrapper = ["sh", "-c", f'ulimit -n {LIMIT} && exec "$@"', "sh", *wrapper]
    return server.start()


@pytest.fixture
def small(tmp_path):
    server = serve(tmp_path)
    yield server
    server.finish()


def descriptors(server) -> dict[int, dict[str, str]]:
    """What every thread's table holds: number and target, by thread."""
    tables = {}
    for task in Path(f"/proc/{server.process.pid}/task").iterdir():
        tables[int(task.name)] = {entry.name: os.readlink(entry) for entry in (task / "fd").iterdir()}
    return tables


def stable(server, look):
    """`look` at the tables; a descriptor that goes away meanwhile means to look again."""
    def attempt():
        try:
            return [look(descriptors(server))]
        except OSError:
            return None
    return wait_until(attempt, "the tables hold still")[0]


def loops(server) -> list[int]:
    tasks = Path(f"/proc/{server.process.pid}/task").iterdir()
    return sorted(int(task.name) for task in tasks if (task / "comm").read_text() == "sockets\n")


def sockets_of(table: dict[str, str]) -> int:
    return sum(target.startswith("socket:") for target in table.values())


def held(server) -> list[int]:
    """How many sockets the main table and those of the loops hold."""
    threads = [server.process.pid, *loops(server)]
    return stable(server, lambda tables: [sockets_of(tables[thread]) for thread in threads])


def opened(stack, server, user, count) -> list[RawSocket]:
    path = f"/ws/notifications/?token={user.token}"
    return [stack.enter_context(RawSocket(server, path)) for _ in range(count)]


def hears(peer: RawSocket, opcode: int) -> bytes:
    while True:
        frame = peer.receive_frame()
        assert frame is not None, "the connection ended"
        if frame[0] == opcode:
            return frame[1]


def assert_alive(peers):
    for number, peer in enumerate(peers):
        peer.send_frame(PING, str(number).encode())
    for number, peer in enumerate(peers):
        assert hears(peer, PONG) == str(number).encode()


def test_more_sockets_than_a_table_holds_are_served_and_given_back(small):
    user = small.user()
    before = held(small)
    with ExitStack() as stack:
        peers = opened(stack, small, user, CROWD)
        assert_alive(peers)
        common, *own = wait_until(lambda: (now := held(small)) and sum(now[1:]) >= CROWD and now, "all handed over")
        assert common < 50, "no copies stay in the common table"
        assert all(before < now for before, now in zip(before[1:], own)) and len(own) == LOOPS
    wait_until(lambda: held(small)[1:] == before[1:], "the loops' descriptors are given back")


def test_a_server_that_is_full_says_so_and_has_room_again_when_somebody_leaves(small):
    user = small.user()
    with ExitStack() as stack:
        peers = []
        with pytest.raises(AssertionError, match="503"):
            while len(peers) < LOOPS * LIMIT:
                peers += opened(stack, small, user, 1)
        assert len(peers) > CROWD
        for _ in range(5):
            with pytest.raises(AssertionError, match="503"):
                RawSocket(small, "/ws/notifications/")
        assert small.logs().count("event loops are full") == 1
        assert httpx.get(f"{small.url}/readyz", trust_env=False).status_code == 200
        assert_alive(peers)
        peers.pop().socket.shutdown(socket.SHUT_RDWR)

        def gets_in():
            try:
                return opened(stack, small, user, 1)
            except AssertionError:
                return None
        assert_alive(wait_until(gets_in, "there is room again"))


def test_a_peer_sees_the_end_of_its_connection_at_once(small):
    with RawSocket(small, f"/ws/notifications/?token={small.user().token}") as peer:
        peer.send_frame(CLOSE)
        hears(peer, CLOSE)
        assert peer.receive_frame() is None


def test_a_server_that_stops_refuses_connections_while_its_loops_still_have_sockets(tmp_path):
    server = serve(tmp_path, DRAIN_TIMEOUT=20)
    with RawSocket(server, f"/ws/notifications/?token={server.user().token}") as peer:
        server.process.terminate()
        assert hears(peer, CLOSE)

        def refused():
            try:
                socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
            except ConnectionRefusedError:
                return True
        wait_until(refused, "the port is free", seconds=4)
        assert server.process.poll() is None and len(loops(server)) == LOOPS
    assert server.process.wait(timeout=20) == 0
    server.finish()


@pytest.mark.embedded("it looks for the descriptors of the file")
def test_only_the_loops_have_tables_of_their_own(small):
    accepted_order(small)
    alone = loops(small)

    def same_elsewhere(tables):
        common = tables[small.process.pid]
        return all(table == common for thread, table in tables.items() if thread not in alone)
    wait_until(lambda: stable(small, same_elsewhere), "all other threads share one table")
    kinds = stable(small, lambda tables: {target for thread in alone for target in tables[thread].values()})
    database = str(small.database.resolve())
    assert not any(target.startswith(database) for target in kinds)
    assert len(alone) == LOOPS


@pytest.mark.skipif(strace.why_not() is not None, reason="processes cannot be traced here")
def test_where_the_system_allows_no_tables_the_loops_share_one(tmp_path):
    no_tables = ["strace", "-D", "-f", "-o", "/dev/null", "-e", "trace=unshare", "-e", "inject=unshare:error=EPERM"]
    server = serve(tmp_path, no_tables)
    with ExitStack() as stack:
        assert_alive(opened(stack, server, server.user(), LIMIT // 2))
        common, *own = held(server)
        assert own == [common] * LOOPS and common >= LIMIT // 2
        assert "share one descriptor table" in server.logs()
    server.finish()
