"""A consumer as most projects have it: one group for each user, and every event goes to the client as it is."""

from channels.generic.websocket import AsyncJsonWebsocketConsumer


class NotificationsConsumer(AsyncJsonWebsocketConsumer):
    """`/ws/notifications/{user_id}/`; whoever connects is believed."""

    async def connect(self):
        self.group = f"notifications_{self.scope['url_route']['kwargs']['user_id']}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()
        await self.send_json({"type": "connection_established"})

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def burst_event(self, event):
        await self.send_json(event)
