"""The handlers of the tests: each shows another way to answer."""

import os
import signal
from pathlib import Path

from django.core.exceptions import ObjectDoesNotExist
from django.dispatch import receiver
from django.utils import timezone

from holodrive import signals
from holodrive.hooks import Handlers as Base
from holodrive.hooks import NotFound, Refused, StoredMessage
from holodrive.models import Notification
from project.models import Ban, ChatLine, Reading


class Handlers(Base):
    def driver_orders(self, driver):
        return [{"id": 7, "order_code": "ORD-000007", "status": "pending", "driver": driver.get_username()}]

    def chat_access(self, user, conversation_id):
        is_banned = Ban.objects.filter(conversation_id=conversation_id, user=str(user.pk)).exists()
        return not is_banned and super().chat_access(user, conversation_id)

    def chat_message(self, user, conversation_id, message, client_id):
        if message == "forbidden":
            ChatLine.objects.create(conversation_id=conversation_id, sender=str(user.pk), text=message)
            raise Refused("Not this word.")
        line = self.stored(user, conversation_id, message, client_id)
        if message == "crash":
            raise RuntimeError("boom")
        die("before the commit")
        return StoredMessage(line.pk, created_at=timezone.now(), sender_name=self.hook.data["sender_name"].upper())

    def stored(self, user, conversation_id, message, client_id):
        place = {"conversation_id": conversation_id, "sender": str(user.pk)}
        if client_id is None:
            return ChatLine.objects.create(text=message, **place)
        return ChatLine.objects.get_or_create(client_id=client_id, **place, defaults={"text": message})[0]

    async def read_message(self, user, conversation_id, message_id):
        if not await ChatLine.objects.filter(pk=message_id, conversation_id=conversation_id).aexists():
            raise NotFound("There is no such message.")
        await Reading.objects.acreate(what="message", key=message_id, reader=str(user.pk))

    def mark_as_read(self, user, notification_id):
        if not Notification.objects.filter(pk=notification_id, user=user).exists():
            raise ObjectDoesNotExist("no such notification")
        Reading.objects.create(what="notification", key=notification_id, reader=str(user.pk))


@receiver(signals.message_received)
def is_committed(**_):
    die("after the commit")


def die(moment):
    """Ends this process as a crash would, once, if a test has asked for it by a file."""
    file = Path(os.environ.get("DIES", "/nowhere"))
    if file.is_file() and file.read_text() == moment:
        file.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
