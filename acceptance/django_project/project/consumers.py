"""A consumer as most projects have it: in a group, whose events go to the client as they are."""

from channels.generic.websocket import AsyncJsonWebsocketConsumer


class GroupConsumer(AsyncJsonWebsocketConsumer):
    """`/ws/groups/{group}/`; whoever connects is believed."""

    async def connect(self):
        self.group = self.scope["url_route"]["kwargs"]["group"]
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()
        await self.send_json({"type": "connection_established"})

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def forward(self, event):
        await self.send_json(event)

    burst_event = ride_update = forward
    notification = notification_read = chat_message = message_read = typing = forward
    new_order = order_accepted = forward
