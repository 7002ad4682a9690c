"""The two sockets."""

import asyncio

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from .models import add_message, is_participant

UNAUTHORIZED, FORBIDDEN = 4401, 4403


class SpecConsumer(AsyncJsonWebsocketConsumer):
    """What both have in common: an authenticated user, a group, and the answer to `ping`."""

    group = None

    async def join(self, group, welcome):
        self.group = group
        await self.channel_layer.group_add(group, self.channel_name)
        await self.accept()
        await self.send_json({"type": "connection_established", **welcome})

    async def disconnect(self, code):
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive_json(self, content):
        if content.get("type") == "ping":
            await self.send_json({"type": "pong"})


class NotificationConsumer(SpecConsumer):
    async def connect(self):
        user = self.scope["user"]
        if not user.is_authenticated:
            return await self.close(UNAUTHORIZED)
        await self.join(f"notifications_{user.id}", {"message": "Connected to notifications", "user_id": str(user.id)})

    async def notification(self, event):
        await self.send_json(event)


class ChatConsumer(SpecConsumer):
    async def connect(self):
        self.user = self.scope["user"]
        self.conversation_id = self.scope["url_route"]["kwargs"]["conversation_id"]
        if not self.user.is_authenticated:
            return await self.close(UNAUTHORIZED)
        if not await database_sync_to_async(is_participant)(self.conversation_id, self.user):
            return await self.close(FORBIDDEN)
        self.name = self.user.get_full_name() or self.user.username
        await self.join(
            f"chat_{self.conversation_id}", {"message": "Connected to chat", "conversation_id": self.conversation_id}
        )

    async def receive_json(self, content):
        match content.get("type"):
            case "chat_message":
                await self.say(content["message"])
            case "typing":
                await self.typing_changed(bool(content.get("is_typing")))
            case _:
                await super().receive_json(content)

    async def say(self, text):
        store = database_sync_to_async(add_message)
        message, notifications = await store(self.conversation_id, self.user, self.name, text)
        event = {
            "type": "chat_message",
            "message": text,
            "sender_id": self.user.id,
            "sender_name": self.name,
            "is_from_support": False,
            "created_at": message.created_at.isoformat(),
            "message_id": message.id,
            "conversation_id": self.conversation_id,
        }
        await self.channel_layer.group_send(self.group, event)
        await asyncio.gather(*(self.notify(notification) for notification in notifications))

    async def notify(self, notification):
        event = {"type": "notification", "notification": notification.as_json()}
        await self.channel_layer.group_send(f"notifications_{notification.user_id}", event)

    async def typing_changed(self, is_typing):
        event = {"type": "typing_indicator", "is_typing": is_typing, "user": self.user.id, "user_name": self.name}
        await self.channel_layer.group_send(self.group, event)

    async def chat_message(self, event):
        await self.send_json(event)

    async def typing_indicator(self, event):
        if event["user"] != self.user.id:
            await self.send_json({**event, "type": "typing"})
