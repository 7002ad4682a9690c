"""PostgreSQL stops, crashes, freezes and hangs up under load: what was acknowledged is stored, and all is told once."""

import signal

import psycopg
import pytest

import db
from holodrive import wait_until
from orders import open_driver_socket, place_order
from outages import Author, Outage
from postgres_server import PostgresServer
from test_chat import direct, enter, say

OURS = "application_name LIKE 'holodrive%'"


@pytest.fixture(scope="module")
def breakable():
    """Nothing reaches its disk before it must."""
    server = PostgresServer(wal_writer_delay="10s", recovery_init_sync_method="syncfs")
    yield server
    server.finish()


@pytest.fixture
def postgres(breakable):
    """A server that a test may break; the next one finds it whole."""
    yield breakable
    breakable.repair()


@pytest.fixture
def start(start_server, postgres):
    """Starts servers on PostgreSQL, on a schema of their own or on that of another one."""
    def start(database=None, **env):
        settings = {"DATABASE_TIMEOUT": 1, "MESSAGE_RATE": 0, "ORDER_REOFFER_AFTER": 1, **env}
        return start_server(database=database or db.new_schema(postgres.url()), **settings)
    return start


def administer(postgres, statement: str, *parameters) -> list:
    """Each statement is a transaction of its own."""
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        cursor = connection.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_postgres_is_started_anew_under_load(start, postgres, mode):
    server = start()
    outage = Outage(server)
    with outage.at_work():
        for _ in range(3):
            postgres.stop(mode)
            outage.are_refused()
            assert server.http.get("/readyz").status_code == 503
            postgres.start()
            outage.go_on()
        wait_until(server.is_ready, "ready again")
    outage.check()


def test_postgres_freezes_under_load(start, postgres):
    server = start()
    outage = Outage(server)
    with outage.at_work():
        for _ in range(4):
            postgres.freeze()
            try:
                outage.are_refused()
            finally:
                postgres.thaw()
            outage.go_on()
    outage.check()


def test_all_connections_are_ended_again_and_again(start, postgres):
    outage = Outage(start())
    with outage.at_work():
        for _ in range(20):
            assert administer(postgres, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}")
            outage.go_on(outage.actors[:1])
    outage.check()


def test_a_commit_whose_answer_is_lost_is_told_once(start, postgres):
    """It is on disk, but waits for a standby that does not exist for longer than our server waits."""
    server = start()
    author = Author(server)
    author.step()
    administer(postgres, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    administer(postgres, "SELECT pg_reload_conf()")
    try:
        author.say("late")
        refused = author.socket.receive(timeout=20)
        assert (refused["type"], refused["code"]) == ("error", "unavailable")
    finally:
        administer(postgres, "ALTER SYSTEM RESET synchronous_standby_names")
        administer(postgres, "SELECT pg_reload_conf()")
    late = author.socket.receive(timeout=20)
    assert (late["type"], late["message"]) == ("chat_message", "late")
    assert author.send("late") == late["message_id"]
    author.acknowledged["late"] = late["message_id"]
    author.step()
    author.check()


@pytest.mark.parametrize("others", [0, 200], ids=["alone", "among others"])
def test_a_commit_that_a_crash_undid_is_not_acknowledged(start, postgres, others):
    """After the crash PostgreSQL gives the numbers of lost transactions away again, here to others who do commit."""
    server = start(DATABASE_TIMEOUT=5)
    author = Author(server)
    author.step()
    server.execute("CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS"
                   " 'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END'")
    server.execute("CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON holodrive_message DEFERRABLE INITIALLY DEFERRED"
                   " FOR EACH ROW EXECUTE FUNCTION wait()")
    holder = psycopg.connect(postgres.url())
    holder.execute("SELECT pg_advisory_lock(1)")
    author.say("lost")
    committing = f"SELECT pid FROM pg_stat_activity WHERE {OURS} AND query LIKE '%COMMIT%' AND wait_event = 'advisory'"
    wait_until(lambda: administer(postgres, committing), "the commit is under way")
    server.process.send_signal(signal.SIGSTOP)
    try:
        postgres.stop("immediate")
        holder.close()
        postgres.start()
        for _ in range(others):
            administer(postgres, "SELECT txid_current()")
    finally:
        server.process.send_signal(signal.SIGCONT)
    refused = author.socket.receive(timeout=20)
    assert (refused["type"], refused["code"]) == ("error", "unavailable")
    assert (author.conversation_id, "lost") not in server.rows("SELECT conversation_id, message FROM holodrive_message")
    author.acknowledged["lost"] = author.send("lost")
    author.step()
    author.check()


def test_somebody_else_holds_the_writers_lock(start, postgres):
    """Longer than the server waits for it: writes are refused, and go on when it is free."""
    server = start()
    author = Author(server)
    author.step()
    schema = server.database.rpartition("%3D")[2]
    with psycopg.connect(postgres.url(), autocommit=True) as holder:
        key = f"hashtextextended('holodrive writer of {schema}', 0)"
        for _ in range(3):
            holder.execute(f"SELECT pg_advisory_lock({key})")
            author.say("waits")
            refused = author.socket.receive(timeout=20)
            assert (refused["type"], refused["code"]) == ("error", "unavailable")
            holder.execute(f"SELECT pg_advisory_unlock({key})")
            author.step()
    author.check()


def holds_the_lock(postgres, server) -> bool:
    return bool(administer(
        postgres, "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE locktype = 'advisory' AND granted AND application_name = %s", server.name))


def test_a_node_that_freezes_with_the_writers_lock_does_not_stop_the_other(start, postgres):
    first = start()
    second = start(database=first.database)
    outage = Outage(first, second)
    here, there = outage.actors[:4], outage.actors[4:]
    with outage.at_work():
        for _ in range(2):
            while True:
                first.process.send_signal(signal.SIGSTOP)
                if holds_the_lock(postgres, first):
                    break
                first.process.send_signal(signal.SIGCONT)
                outage.go_on(here[:1])
            try:
                outage.go_on(there)
            finally:
                first.process.send_signal(signal.SIGCONT)
            outage.go_on()
    outage.check()


def test_events_reach_another_node_with_and_without_being_told_of(start, postgres):
    first = start()
    second = start(database=first.database)
    alice, bob = first.user(), first.user()
    conversation_id = direct(first, alice, bob)
    here = enter(alice, conversation_id)
    there = second.connect(f"/ws/chat/{conversation_id}/", bob)
    there.expect("connection_established")
    listening = f"FROM pg_stat_activity WHERE {OURS} AND query LIKE 'LISTEN%'"

    def exchange(text: str):
        say(here, text)
        assert here.expect("chat_message") == there.expect("chat_message")

    for number in range(3):
        wait_until(lambda: len(administer(postgres, f"SELECT pid {listening}")) == 2, "both nodes listen")
        exchange(f"told {number}")
        assert len(administer(postgres, f"SELECT pg_terminate_backend(pid) {listening}")) == 2
        exchange(f"not told {number}")


def test_the_databases_own_defaults_for_transactions_do_not_matter(start, postgres):
    """Writers of two nodes wait for each other, and see what the other has committed meanwhile."""
    database = db.new_schema(postgres.url())
    strict = "%20-cdefault_transaction_isolation%3Dserializable%20-cdefault_transaction_read_only%3Don"
    nodes = [start(database=database, DATABASE_URL=db.url(f"{database}{strict}", f"holodrive-{number}"))
             for number in range(2)]
    outage = Outage(*nodes)
    with outage.at_work():
        pass
    assert not any(actor.refused for actor in outage.actors)
    outage.check()


def test_an_offer_that_somebody_has_locked_does_not_keep_others_from_ending(start):
    server = start(ORDER_OFFER_TIMEOUT=1.5)
    places = [{"latitude_from": latitude, "longitude_from": 10.0} for latitude in (10.0, -10.0)]
    drivers = [server.driver(at=tuple(place.values())) for place in places]
    sockets = [open_driver_socket(driver) for driver in drivers]
    orders = [place_order(server.user(), **place)["id"] for place in places]
    for socket in sockets:
        socket.until("new_order")
    delivered = "SELECT id FROM holodrive_offer WHERE delivered_at IS NOT NULL"
    wait_until(lambda: len(server.rows(delivered)) == 2, "the offers are delivered")
    with psycopg.connect(server.database) as administrator:
        locked = administrator.execute("SELECT id FROM holodrive_offer WHERE order_id = %s FOR UPDATE", (orders[0],))
        assert len(locked.fetchall()) == 1
        assert sockets[1].until("order_timeout")["order_id"] == orders[1]
        assert "order_timeout" not in sockets[0].kinds_so_far()
        assert server.rows(db.OFFERS_TO_DRIVER, drivers[0].id)[0][2] == "live"
    assert sockets[0].until("order_timeout")["order_id"] == orders[0]


@pytest.mark.parametrize("change", [
    "ADD COLUMN nickname text", "ALTER COLUMN id TYPE bigint", "ALTER COLUMN first_name TYPE text",
])
def test_django_alters_a_table_under_prepared_statements(start, change):
    server = start()
    user = server.user()
    author = Author(server)
    author.step()
    for _ in range(20):
        assert user.get("/api/me/").status_code == 200
    server.execute(f"ALTER TABLE auth_user {change}")

    def recovers():
        statuses = {user.get("/api/me/").status_code for _ in range(20)}
        assert statuses <= {200, 503}
        return statuses == {200}

    wait_until(recovers, "statements are prepared anew")
    author.step()
    author.check()
