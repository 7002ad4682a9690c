"""The words in the server's tables."""

from __future__ import annotations

from django.db import models


class OrderStatus(models.TextChoices):
    """Where an order stands."""

    SEARCHING = "searching"
    PENDING = "pending"
    ACCEPTED = "accepted"
    ARRIVED = "arrived"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    NO_DRIVER = "no_driver"


class OfferState(models.TextChoices):
    """What became of an offer."""

    LIVE = "live"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    REVOKED = "revoked"
    RELEASED = "released"


class ConversationKind(models.TextChoices):
    """What a conversation is for."""

    SUPPORT = "support"
    ORDER = "order"
    DIRECT = "direct"


class Platform(models.TextChoices):
    """Who brings pushes to a device."""

    FCM = "fcm", "FCM"
    APNS = "apns", "APNs"


class DriverStatus(models.TextChoices):
    """What a driver has said of himself."""

    ONLINE = "online"
    OFFLINE = "offline"
