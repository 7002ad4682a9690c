"""The one place that knows the names of the server's own tables, for checks behind its back."""

import contextlib
import sqlite3


@contextlib.contextmanager
def connect(path):
    """A connection whose changes are committed at the end, as another process would make them."""
    connection = sqlite3.connect(path, timeout=10)
    connection.row_factory = sqlite3.Row
    try:
        with connection:
            yield connection
    finally:
        connection.close()
