"""What the project stores by itself when the hooks ask it to."""

from django.db import models


class ChatLine(models.Model):
    """A chat message that Django owns."""

    conversation_id = models.BigIntegerField()
    sender = models.CharField(max_length=64)
    text = models.TextField()
