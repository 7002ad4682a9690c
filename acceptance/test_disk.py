"""A disk that fails, fills up, or loses its power: what was acknowledged is on it, and nothing else is pretended."""

import errno
import subprocess

import pytest

import db
import strace
from holodrive import Server, wait_until
from test_chat import direct, enter, say
from test_notifications import BODY, listen

# The faults of a sweep: every N-th call fails, for each N up to this.
LAST = 100


class Author:
    """Sends one message after another, and again what was refused."""

    def __init__(self, server):
        self.user, self.other = server.user(), server.user()
        self.conversation_id = direct(server, self.user, self.other)
        self.attempts = self.refused = 0
        # The id under which each text was acknowledged, in that order.
        self.acknowledged = {}

    def send(self, socket, text: str) -> bool:
        """Whether the message was acknowledged; if not, it must have been refused in so many words."""
        self.attempts += 1
        say(socket, text, client_id=f"id of {len(self.acknowledged)}")
        answer = socket.receive(timeout=20)
        if answer["type"] == "error":
            assert answer["code"] == "unavailable", answer
            self.refused += 1
            return False
        assert (answer["type"], answer["message"]) == ("chat_message", text)
        self.acknowledged[text] = answer["message_id"]
        return True

    def write(self, attempts: int):
        socket = enter(self.user, self.conversation_id)
        enough = self.attempts + attempts
        while self.attempts < enough:
            self.send(socket, f"text {len(self.acknowledged):05}.")

    def assert_stored(self, path, texts):
        """Each of these texts is there, under its id, and no text is there twice."""
        db.assert_sound(path)
        with db.connect(path) as database:
            rows = [tuple(row) for row in database.execute(db.MESSAGES, (self.conversation_id,))]
        assert {(self.acknowledged[text], text) for text in texts} <= set(rows)
        assert len({text for _, text in rows}) == len(rows), "a message was stored twice"


@pytest.fixture
def traced(start_server):
    """A server that is not running, an author, and a function that starts it under strace.

    That function gives the disk as it was before, and the calls since. The database stays open meanwhile, as in a
    Django beside us, and is due for a checkpoint: the faults are to meet writes and checkpoints, not the start.
    """
    reason = strace.why_not()
    if reason:
        pytest.skip(f"processes cannot be traced here: {reason}")
    server = start_server(MESSAGE_RATE=0)
    author = Author(server)
    server.kill()

    def run(fault, work) -> tuple[strace.Disk, list[strace.Call]]:
        log = server.directory / "strace.log"
        log.unlink(missing_ok=True)
        server.wrapper = strace.command(log, fault)
        with db.connect(server.database) as neighbour:
            db.fill_log(neighbour)
            disk = strace.Disk(server.database, log_of(server))
            server.start()
            work()
            server.kill()
        wait_until(lambda: strace.has_ended(log, server.process.pid), "strace has written its log")
        server.wrapper = []
        return disk, strace.read(log)

    return server, author, run


def log_of(server):
    """The file into which the database writes first, and which makes a commit durable."""
    return server.database.with_name(server.database.name + "-wal")


def sends(calls, text: str):
    return [call for call in calls if call.name in strace.SENDS and text.encode() in call.data]


def assert_survives_power_cuts(disk, calls, author, texts, directory, every=1):
    """At the moment of an acknowledgement, the disk alone holds it and all before it; looks at every `every`-th."""
    directory.mkdir(exist_ok=True)
    position = 0
    for number in range(len(texts), 0, -every)[::-1]:
        text = texts[number - 1]
        acknowledgement = min(call.began for call in sends(calls, text))
        while position < len(calls) and calls[position].ended < acknowledgement:
            disk.apply(calls[position])
            position += 1
        disk.copy_to(directory)
        author.assert_stored(directory / "holodrive.db", texts[:number])


def test_what_is_acknowledged_was_synced(traced, tmp_path):
    server, author, run = traced
    disk, calls = run(None, lambda: author.write(attempts=20))
    log = str(log_of(server))
    texts = list(author.acknowledged)
    assert len(texts) == 20
    for text in texts:
        acknowledged = min(call.began for call in sends(calls, text))
        written = max(call.ended for call in calls
                      if call.name == "pwrite64" and call.file == log and text.encode() in call.data
                      and call.ended < acknowledged)
        assert any(call.name in strace.SYNCS and call.file == log and call.result == 0
                   and written < call.began and call.ended < acknowledged for call in calls), text
    assert_survives_power_cuts(disk, calls, author, texts, tmp_path / "after power cut")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("names, error, step, attempts", [
    (strace.SYNCS, "EIO", 5, 130),
    (("pwrite64",), "ENOSPC", 25, 20),
], ids=["sync", "write"])
def test_every_single_fault_is_told_and_nothing_is_lost(traced, tmp_path, names, error, step, attempts):
    """Each run lets every `step`-th call fail, beginning with another one, so that all up to LAST have failed."""
    server, author, run = traced
    covered, touched = set(), set()
    for first in range(1, step + 1):
        earlier = set(author.acknowledged)
        disk, calls = run(f"{','.join(names)}:error={error}:when={first}+{step}", lambda: author.write(attempts))
        covered |= strace.failed(calls, names)
        touched |= {call.file for call in calls if call.injected}
        texts = [text for text in author.acknowledged if text not in earlier]
        author.assert_stored(server.database, author.acknowledged)
        assert_survives_power_cuts(disk, calls, author, texts, tmp_path / "after power cut", every=10)
    assert set(range(1, LAST + 1)) <= covered
    assert touched >= {str(server.database), str(log_of(server))}, "both commits and checkpoints are to fail"
    assert author.refused > 0
    server.start()
    refused = author.refused
    author.write(attempts=1)
    assert author.refused == refused


def test_a_disk_that_stays_broken_turns_readiness_red(traced):
    server, author, run = traced

    def work():
        author.write(attempts=60)
        assert server.http.get("/readyz").status_code == 503
        assert author.user.get(f"/api/conversations/{author.conversation_id}/messages/").status_code == 200
        assert server.notify(user_id=author.user.id, **BODY).status_code == 503

    run(f"{','.join(strace.SYNCS)}:error=EIO:when=30+", work)
    assert 0 < len(author.acknowledged) < 30
    assert author.refused > 30
    author.assert_stored(server.database, author.acknowledged)
    server.start()
    author.write(attempts=1)
    author.assert_stored(server.database, author.acknowledged)


@pytest.fixture
def small_disk(tmp_path):
    """A folder of 4 MiB for the server; the database goes into its `data`."""
    data = tmp_path / "data"
    data.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", data],
                             capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.strip()}")
    server = Server(tmp_path, MESSAGE_RATE=0)
    try:
        yield server.start()
        server.finish()
    finally:
        server.kill()
        subprocess.run(["umount", "--lazy", data], check=True)


def fill(path):
    """Takes all the space that is left."""
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as full:
            assert full.errno == errno.ENOSPC


def test_a_full_disk_refuses_writes_serves_reads_and_recovers(small_disk):
    server, author = small_disk, Author(small_disk)
    socket, live = enter(author.user, author.conversation_id), enter(author.other, author.conversation_id)
    bell = listen(author.other)
    assert author.send(socket, "while there is room")
    filler = server.directory / "data" / "filler"
    fill(filler)
    texts = (f"text {number:05}." for number in range(1000))
    wait_until(lambda: not author.send(socket, next(texts)), "a message is refused", interval=0)
    assert server.notify(user_id=author.other.id, **BODY).status_code == 503
    assert server.http.get("/readyz").status_code == 503

    history = author.user.get(f"/api/conversations/{author.conversation_id}/messages/")
    assert len(history.json()["results"]) == len(author.acknowledged)
    assert [message["message"] for message in live.so_far()] == list(author.acknowledged)
    socket.send({"type": "typing", "is_typing": True})
    assert live.expect("typing")["is_typing"] is True
    late = author.other.connect(f"/ws/chat/{author.conversation_id}/?since=0")
    assert len(late.collect_until("resumed")) == len(author.acknowledged) + 2

    filler.unlink()
    assert author.send(socket, "there is room again")
    for reader in (live, late):
        assert reader.until("chat_message")["message"] == "there is room again"
    assert server.notify(user_id=author.other.id, **BODY).status_code == 201
    assert len([each for each in bell.so_far() if each["type"] == "notification"]) == len(author.acknowledged) + 1
    wait_until(server.is_ready, "ready again")
    server.kill()
    author.assert_stored(server.database, author.acknowledged)
    server.start()
