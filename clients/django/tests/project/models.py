"""What the project stores by itself when the hooks ask it to."""

from django.db import models


class ChatLine(models.Model):
    """A chat message that Django owns."""

    conversation_id = models.BigIntegerField()
    sender = models.CharField(max_length=64)
    text = models.TextField()
    client_id = models.CharField(max_length=64, null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["conversation_id", "sender", "client_id"], name="said_once")]


class Reading(models.Model):
    """Somebody has read a message or a notification."""

    what = models.CharField(max_length=12)
    key = models.BigIntegerField()
    reader = models.CharField(max_length=64)


class Ban(models.Model):
    """Somebody may no longer be where he takes part."""

    conversation_id = models.BigIntegerField()
    user = models.CharField(max_length=64)
