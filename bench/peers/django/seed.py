"""Makes the tables, the users 1 to USERS, and CONVERSATIONS of MEMBERS users each, in their order."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402

from chat.models import Conversation  # noqa: E402

users, conversations, members = (int(os.environ[name]) for name in ("USERS", "CONVERSATIONS", "MEMBERS"))
call_command("migrate", run_syncdb=True, verbosity=0)
User.objects.bulk_create([User(id=n, username=f"user{n}", password="!") for n in range(1, users + 1)])
Conversation.objects.bulk_create([Conversation(id=n) for n in range(1, conversations + 1)])
participants = Conversation.participants.through
participants.objects.bulk_create(
    [participants(conversation_id=n // members + 1, user_id=n + 1) for n in range(conversations * members)]
)
