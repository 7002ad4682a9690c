"""`manage.py holodrive_check`: do Django and the server agree?"""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from holodrive.comparison import Finding, Wishes, compare
from holodrive.environment import dotenv


class Command(BaseCommand):
    """Prints one line for each thing that was compared; fails when one of them differs."""

    help = "Compares Django's settings with the HoloDrive server's; --env prints a .env for the server instead."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--env", action="store_true", help="print a .env for the server; it holds secrets")
        parser.add_argument("--user", metavar="NAME", help="the user to show the server a token of; the first by default")
        parser.add_argument("--origin", action="append", default=[], metavar="URL",
                            help="an origin whose pages open sockets, such as https://admin.example.com (repeatable)")
        parser.add_argument("--session", action="store_true",
                            help="also open a session of that user for a moment, and show the server its cookie")
        parser.add_argument("--django-url", default="http://127.0.0.1:8000", metavar="URL",
                            help="where the server reaches Django for its hooks (%(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["env"]:
            self.stdout.write(dotenv(options["django_url"]), ending="")
            return
        count: Counter[str] = Counter()
        wishes = Wishes(options["user"], options["origin"], options["django_url"], options["session"])
        for finding in compare(wishes):
            count[finding.verdict] += 1
            self.stdout.write(self.line(finding))
        if count["failed"]:
            raise CommandError(f"{count['failed']} of {count.total()} checks failed")
        self.stdout.write(f"{count['ok']} ok, {count['warning']} warnings, {count['unknown']} could not be checked")

    def line(self, finding: Finding) -> str:
        styles = {"ok": self.style.SUCCESS, "warning": self.style.WARNING, "failed": self.style.ERROR}
        label = f"{'not checked' if finding.verdict == 'unknown' else finding.verdict:<12}"
        return styles.get(finding.verdict, self.style.NOTICE)(label) + finding.text
