"""The one place that knows the names of the server's own tables, for checks behind its back, and where engines differ.

A database is the path of a file, or with `HOLODRIVE_TEST_POSTGRES` the URL of a schema of its own in PostgreSQL.
"""

import contextlib
import os
import re
import sqlite3
import uuid
from pathlib import Path

import psycopg

from postgres_server import VARIABLE

#: The PostgreSQL server that the whole suite is to run on; none: on files.
POSTGRES = os.environ.get(VARIABLE)


def new(directory: Path):
    """A database for a server that runs in this folder."""
    return new_schema(POSTGRES) if POSTGRES else directory / "data" / "holodrive.db"


def new_schema(server: str) -> str:
    """A schema that the server of this URL did not have; the URL leads there whoever uses it."""
    name = f"test_{uuid.uuid4().hex}"
    with connect(server) as database:
        database.execute(f"CREATE SCHEMA {name}")
    return f"{server}?options=-csearch_path%3D{name}"


def url(database, application: str) -> str:
    """What `DATABASE_URL` is for this database; PostgreSQL calls its connections by the name of the application."""
    return f"{database}&application_name={application}" if isinstance(database, str) else f"sqlite://{database}"


@contextlib.contextmanager
def connect(database):
    """A connection whose changes are committed at the end, as another process would make them."""
    if isinstance(database, str):
        with psycopg.connect(database, connect_timeout=10) as connection:
            connection.execute("SET TIME ZONE 'UTC'")
            yield Translating(connection)
        return
    connection = sqlite3.connect(database, timeout=10)
    try:
        with connection:
            yield connection
    finally:
        connection.close()


class Translating:
    """Takes for PostgreSQL what is written for SQLite here."""

    def __init__(self, connection):
        self.connection = connection

    def execute(self, statement: str, parameters=()):
        statement = statement.replace("%", "%%").replace("?", "%s").replace("group_concat(", "string_agg(")
        statement = re.sub(r"json_extract\((\S+), '\$\.(\w+)'\)", r"(\1::jsonb ->> '\2')::bigint", statement)
        return self.connection.execute(statement, parameters)


def connections(database, application: str) -> list:
    """The connections that an application has to PostgreSQL; none to a file."""
    if not isinstance(database, str):
        return []
    with connect(database) as watcher:
        return watcher.execute("SELECT pid FROM pg_stat_activity WHERE application_name = ?", (application,)).fetchall()


# Pages in the database's log from which on a commit copies them into the database itself.
CHECKPOINT_PAGES = 4000


def fill_log(database):
    """Fills the log by writes that are nobody's business, so that the next commit of another process is a checkpoint."""
    database.execute("PRAGMA wal_autocheckpoint=0")
    with database:
        database.execute("CREATE TABLE IF NOT EXISTS neighbour (content BLOB)")
        database.execute("DELETE FROM neighbour")
        database.execute("INSERT INTO neighbour VALUES (randomblob(?))", (CHECKPOINT_PAGES * 4096,))


# Each must return no rows, at every moment and above all after a crash.
INVARIANTS = {
    "two live offers of one order":
        "SELECT order_id FROM holodrive_offer WHERE state = 'live' GROUP BY order_id HAVING count(*) > 1",
    "two live offers of one driver":
        "SELECT driver_id FROM holodrive_offer WHERE state = 'live' GROUP BY driver_id HAVING count(*) > 1",
    "a trip without exactly one accepted offer of its driver":
        "SELECT o.id FROM holodrive_order o WHERE o.status IN ('accepted', 'arrived', 'in_progress', 'completed')"
        " AND (SELECT count(*) FROM holodrive_offer f WHERE f.order_id = o.id AND f.driver_id = o.driver_id"
        " AND f.state = 'accepted') <> 1",
    "two trips of one driver":
        "SELECT driver_id FROM holodrive_order WHERE status IN ('accepted', 'arrived', 'in_progress')"
        " GROUP BY driver_id HAVING count(*) > 1",
    "pending without a live offer":
        "SELECT id FROM holodrive_order o WHERE status = 'pending'"
        " AND NOT EXISTS (SELECT 1 FROM holodrive_offer f WHERE f.order_id = o.id AND f.state = 'live')",
    "a live offer of an order that is not pending":
        "SELECT f.id FROM holodrive_offer f JOIN holodrive_order o ON o.id = f.order_id"
        " WHERE f.state = 'live' AND o.status <> 'pending'",
    "an order without history":
        "SELECT id FROM holodrive_order o"
        " WHERE NOT EXISTS (SELECT 1 FROM holodrive_order_event e WHERE e.order_id = o.id)",
    "an ended offer without its end":
        "SELECT id FROM holodrive_offer WHERE state <> 'live' AND ended_at IS NULL",
    "an offer whose history does not begin once, and end once when it has ended":
        "SELECT f.id FROM holodrive_offer f WHERE f.state || '|' || ("
        " SELECT coalesce(group_concat(type, ' '), '') FROM (SELECT e.type FROM holodrive_order_event e"
        " WHERE e.order_id = f.order_id AND json_extract(e.details, '$.offer_id') = f.id AND e.type NOT IN ('delivered', 'pushed', 'push_failed')"
        " ORDER BY e.id) AS history)"
        " NOT IN ('live|offered', 'accepted|offered accepted', 'released|offered accepted',"
        " 'declined|offered offer_declined', 'expired|offered offer_expired', 'revoked|offered offer_revoked')",
    "an order that does not stand where its history ends":
        "SELECT o.id FROM holodrive_order o WHERE o.status <> coalesce(("
        " SELECT CASE e.type WHEN 'created' THEN 'searching' WHEN 'offered' THEN 'pending'"
        " WHEN 'started' THEN 'in_progress' WHEN 'released' THEN 'searching' WHEN 'offer_declined' THEN 'searching'"
        " WHEN 'offer_expired' THEN 'searching' WHEN 'offer_revoked' THEN 'searching' ELSE e.type END"
        " FROM holodrive_order_event e WHERE e.order_id = o.id AND e.type NOT IN ('delivered', 'pushed', 'push_failed') ORDER BY e.id DESC LIMIT 1), '')",
}
LIVE_OVERDUE = "SELECT id FROM holodrive_offer WHERE state = 'live' AND expires_at < ?"
OFFERS_OF_DRIVER = "SELECT order_id, created_at, expires_at, ended_at FROM holodrive_offer WHERE driver_id = ?"
ORDER_IDS = "SELECT id FROM holodrive_order"
DRIVER_OF_ORDER = "SELECT driver_id FROM holodrive_order WHERE id = ?"
MESSAGE_TEXTS = "SELECT id, message FROM holodrive_message"
MESSAGES = "SELECT id, message FROM holodrive_message WHERE conversation_id = ? ORDER BY id"
MESSAGES_READ_BY = "SELECT message_id FROM holodrive_message_read WHERE user_id = ?"
READ_MESSAGES = "SELECT message_id, user_id, read_at FROM holodrive_message_read"
# Messages that were not notified to each other participant once; where no support is involved.
MESSAGES_NOT_TOLD = (
    "WITH told AS (SELECT json_extract(data, '$.message_id') AS message_id, count(DISTINCT user_id) AS people,"
    " count(*) AS notices FROM holodrive_notification WHERE notification_type = 'chat_message' GROUP BY 1)"
    " SELECT m.id FROM holodrive_message m LEFT JOIN told ON told.message_id = m.id"
    " WHERE told.people <> told.notices OR coalesce(told.people, 0) <> (SELECT count(*) - 1"
    " FROM holodrive_conversation_participant p WHERE p.conversation_id = m.conversation_id)"
)
NOTIFICATIONS = "SELECT id, title FROM holodrive_notification WHERE user_id = ? ORDER BY id"
NOTIFICATIONS_OF_TYPE = "SELECT id, title FROM holodrive_notification WHERE user_id = ? AND notification_type = ?"
NOTIFICATIONS_READ = "SELECT id FROM holodrive_notification WHERE user_id = ? AND read_at IS NOT NULL"
NOTIFICATIONS_READ_AT = "SELECT id, read_at FROM holodrive_notification WHERE user_id = ?"
CONVERSATIONS_OF_ORDER = "SELECT id FROM holodrive_conversation WHERE order_id = ?"
OFFERS_TO_DRIVER = "SELECT order_id, expires_at, state FROM holodrive_offer WHERE driver_id = ? ORDER BY id"
ORDERS_OF_DRIVER = "SELECT id, status FROM holodrive_order WHERE driver_id = ?"
ORDERS_WITH_STATUS = "SELECT address_from, status FROM holodrive_order WHERE address_from LIKE 'trip-%'"
POSITIONS = "SELECT driver_id, latitude, longitude FROM holodrive_driver"
# What requests leave behind.
EFFECTS = [f"SELECT id FROM holodrive_{table}" for table in ("order", "order_event", "message", "notification")]
UNFINISHED_ORDERS = "SELECT id FROM holodrive_order WHERE status NOT IN ('completed', 'cancelled', 'no_driver')"
ORDERS_BY_ADDRESS = "SELECT id, address_from FROM holodrive_order"
OUTBOX = "SELECT id FROM holodrive_outbox"
POSITION = "SELECT position_at FROM holodrive_driver WHERE driver_id = ?"
NODES = "SELECT node FROM holodrive_node"
NOTIFICATION_TITLES = "SELECT title FROM holodrive_notification WHERE user_id = ?"


def assert_readable(database):
    """A connection that has read holds the log's index open."""
    assert database.execute("SELECT count(*) FROM holodrive_migration").fetchone()[0]


def assert_sound(where):
    """A file is sound; PostgreSQL sees to its own."""
    if not isinstance(where, str):
        with connect(where) as database:
            assert [row[0] for row in database.execute("PRAGMA integrity_check")] == ["ok"]


def assert_consistent(where):
    """The database is sound and every invariant holds."""
    assert_sound(where)
    with connect(where) as database:
        for name, statement in INVARIANTS.items():
            rows = [tuple(row) for row in database.execute(statement)]
            assert rows == [], f"{name}: {rows}"
