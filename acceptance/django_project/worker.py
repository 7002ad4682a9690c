"""Runs what comes as JSON texts, one a line, on the standard input; answers each with what it printed, or its error.

As `manage.py shell -c`, but Django is loaded once."""

import contextlib
import io
import json
import sys
import traceback

import django

django.setup()

from django.db import close_old_connections

for line in sys.stdin:
    printed, error = io.StringIO(), None
    try:
        with contextlib.redirect_stdout(printed):
            exec(json.loads(line), {})
    except Exception:
        error = traceback.format_exc()
    close_old_connections()
    print(json.dumps({"printed": printed.getvalue(), "error": error}), flush=True)
