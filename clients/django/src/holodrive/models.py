"""The server's tables, to be read; and one table of our own, for hooks that come twice.

The server makes and changes its tables itself (`managed = False`). Users have no constraint in the database: the server
keeps their keys, and rows outlive a user who is deleted. `null=True` makes Django look for such users by an outer join.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from .choices import ConversationKind, DriverStatus, OfferState, OrderStatus, Platform
from .fields import CoordinateField, JsonTextField, MomentField


class Conversation(models.Model):
    """Who talks to whom, and about what."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=7, choices=ConversationKind)
    order = models.ForeignKey(
        "Order", models.DO_NOTHING, related_name="+", db_constraint=False, null=True, blank=True
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, related_name="+", db_constraint=False, db_column="created_by",
        null=True, blank=True,
    )
    created_at = MomentField()
    closed_at = MomentField(null=True, blank=True)

    class Meta:
        managed = False
        db_table = "holodrive_conversation"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"


class Participant(models.Model):
    """Somebody who takes part in a conversation."""

    pk = models.CompositePrimaryKey("conversation_id", "user_id")
    conversation = models.ForeignKey(Conversation, models.DO_NOTHING, related_name="participants")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DO_NOTHING, related_name="+", db_constraint=False)
    joined_at = MomentField()

    class Meta:
        managed = False
        db_table = "holodrive_conversation_participant"

    def __str__(self) -> str:
        return str(self.user)


class Message(models.Model):
    """A chat message."""

    id = models.BigAutoField(primary_key=True)
    conversation = models.ForeignKey(Conversation, models.DO_NOTHING, related_name="messages")
    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, related_name="+", db_constraint=False, null=True, blank=True
    )
    sender_name = models.TextField()
    is_from_support = models.BooleanField()
    message = models.TextField()
    client_id = models.TextField(null=True, blank=True)
    created_at = MomentField()

    class Meta:
        managed = False
        db_table = "holodrive_message"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.sender_name}: {self.message[:50]}"


class MessageRead(models.Model):
    """That somebody has read a message."""

    pk = models.CompositePrimaryKey("message_id", "user_id")
    message = models.ForeignKey(Message, models.DO_NOTHING, related_name="reads")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DO_NOTHING, related_name="+", db_constraint=False)
    read_at = MomentField()

    class Meta:
        managed = False
        db_table = "holodrive_message_read"

    def __str__(self) -> str:
        return f"{self.user} has read message {self.message_id}"


class Driver(models.Model):
    """What the server knows of a driver: his status, his last position and what he drives."""

    driver = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, primary_key=True, related_name="+", db_constraint=False
    )
    status = models.CharField(max_length=7, choices=DriverStatus, null=True, blank=True)
    latitude = CoordinateField(null=True, blank=True)
    longitude = CoordinateField(null=True, blank=True)
    position_at = MomentField(null=True, blank=True)
    seen_at = MomentField(null=True, blank=True)
    vehicle_classes = JsonTextField(null=True, blank=True)
    vehicle_seats = models.BigIntegerField(null=True, blank=True)

    class Meta:
        managed = False
        db_table = "holodrive_driver"

    def __str__(self) -> str:
        return str(self.driver)


class Order(models.Model):
    """A ride, from the wish to its end.

    The table's `start_pin` is left out on purpose: it is the rider's to tell, and whoever sees an admin page is not him.
    """

    id = models.BigAutoField(primary_key=True)
    rider = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, related_name="+", db_constraint=False, null=True, blank=True
    )
    driver = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, related_name="+", db_constraint=False, null=True, blank=True
    )
    status = models.CharField(max_length=11, choices=OrderStatus)
    order_type = models.TextField()
    address_from = models.TextField()
    address_to = models.TextField()
    latitude_from = CoordinateField()
    longitude_from = CoordinateField()
    latitude_to = CoordinateField()
    longitude_to = CoordinateField()
    created_at = MomentField()
    pickup_at = MomentField(null=True, blank=True)
    search_from = MomentField()
    search_until = MomentField()
    vehicle_class = models.TextField(null=True, blank=True)
    seats = models.BigIntegerField(null=True, blank=True)
    conversation = models.ForeignKey(
        Conversation, models.DO_NOTHING, related_name="+", null=True, blank=True
    )

    class Meta:
        managed = False
        db_table = "holodrive_order"
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.order_code

    @property
    def order_code(self) -> str:
        """What people call it."""
        return f"ORD-{self.pk:06}"


class Offer(models.Model):
    """That a driver was asked to take an order, and what became of it."""

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(Order, models.DO_NOTHING, related_name="offers")
    driver = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, related_name="+", db_constraint=False, null=True, blank=True
    )
    slot = models.BigIntegerField()
    exclusive = models.BooleanField(help_text="Whether nobody else is asked as long as it lives: staff have chosen the driver.")
    state = models.CharField(max_length=8, choices=OfferState)
    reason = models.TextField(null=True, blank=True)
    distance_km = models.FloatField(null=True, blank=True)
    created_at = MomentField()
    expires_at = MomentField()
    unreachable_at = MomentField(null=True, blank=True)
    push_at = MomentField(null=True, blank=True)
    pushed_at = MomentField(null=True, blank=True)
    delivered_at = MomentField(null=True, blank=True)
    ended_at = MomentField(null=True, blank=True)

    class Meta:
        managed = False
        db_table = "holodrive_offer"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"offer {self.pk}"


class OrderEvent(models.Model):
    """One entry of an order's history."""

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(Order, models.DO_NOTHING, related_name="events")
    at = MomentField()
    type = models.TextField()
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, related_name="+", db_constraint=False, null=True, blank=True
    )
    details = JsonTextField()

    class Meta:
        managed = False
        db_table = "holodrive_order_event"
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.type


class Notification(models.Model):
    """A notification of one user."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, related_name="+", db_constraint=False, null=True, blank=True
    )
    title = models.TextField()
    message = models.TextField()
    notification_type = models.TextField()
    related_object_type = models.TextField(null=True, blank=True)
    related_object_id = models.BigIntegerField(null=True, blank=True)
    data = JsonTextField()
    created_at = MomentField()
    read_at = MomentField(null=True, blank=True)

    class Meta:
        managed = False
        db_table = "holodrive_notification"
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.title

    @property
    def status(self) -> str:
        """`unread` or `read`, as the sockets say it."""
        return "unread" if self.read_at is None else "read"


class NotificationDelivery(models.Model):
    """The first way of a notification to a device; no row means that none is known."""

    notification = models.OneToOneField(
        Notification, models.DO_NOTHING, primary_key=True, related_name="delivery"
    )
    written_at = MomentField()
    confirmed_at = MomentField(null=True, blank=True)

    class Meta:
        managed = False
        db_table = "holodrive_notification_delivery"

    def __str__(self) -> str:
        return f"delivery of notification {self.notification_id}"


class Device(models.Model):
    """A phone that can be woken by a push.

    The table's `token` is left out on purpose: whoever has it can, with the project's key, write to the phone.
    """

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, related_name="+", db_constraint=False, null=True, blank=True
    )
    platform = models.CharField(max_length=4, choices=Platform)
    name = models.TextField(null=True, blank=True)
    registered_at = MomentField()

    class Meta:
        managed = False
        db_table = "holodrive_device"
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name or f"device {self.pk}"


class HookAnswer(models.Model):
    """What a hook that stores something was answered, so that the same request again is answered the same.

    Written in the transaction of the handler: either both are there or neither is.
    """

    id = models.CharField(max_length=64, primary_key=True)
    hook = models.CharField(max_length=32)
    status = models.PositiveSmallIntegerField(default=500)
    body = models.TextField(default="")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        db_table = "holodrive_hook_answer"

    def __str__(self) -> str:
        return f"{self.hook} {self.id}"
