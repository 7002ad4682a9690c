"""The handlers of the tests: each shows another way to answer."""

from django.core.exceptions import ObjectDoesNotExist
from django.utils import timezone

from holodrive.hooks import Handlers as Base
from holodrive.hooks import NotFound, Refused, StoredMessage
from project.models import ChatLine


class Handlers(Base):
    def driver_orders(self, driver):
        return [{"id": 7, "order_code": "ORD-000007", "status": "pending", "driver": driver.get_username()}]

    def chat_message(self, user, conversation_id, message, client_id):
        line = ChatLine.objects.create(conversation_id=conversation_id, sender=str(user.pk), text=message)
        if message == "forbidden":
            raise Refused("Not this word.")
        if message == "crash":
            raise RuntimeError("boom")
        return StoredMessage(line.pk, created_at=timezone.now(), sender_name=self.hook.data["sender_name"].upper())

    async def read_message(self, user, conversation_id, message_id):
        if not await ChatLine.objects.filter(pk=message_id, conversation_id=conversation_id).aexists():
            raise NotFound("There is no such message.")

    def mark_as_read(self, user, notification_id):
        raise ObjectDoesNotExist("no such notification")
