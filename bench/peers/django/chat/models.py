"""Conversations, their messages, and the notifications of those who were not there."""

from django.conf import settings
from django.db import models, transaction


class Conversation(models.Model):
    participants = models.ManyToManyField(settings.AUTH_USER_MODEL)


class Message(models.Model):
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE)
    sender = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    message = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)


class Notification(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    title = models.TextField()
    message = models.TextField()
    notification_type = models.CharField(max_length=50)
    related_object_type = models.CharField(max_length=50, null=True)
    related_object_id = models.BigIntegerField(null=True)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True)

    def as_json(self):
        return {
            "id": self.id,
            "title": self.title,
            "message": self.message,
            "notification_type": self.notification_type,
            "related_object_type": self.related_object_type,
            "related_object_id": self.related_object_id,
            "data": self.data,
            "created_at": self.created_at.isoformat(),
            "status": "unread",
        }


def is_participant(conversation_id, user):
    return Conversation.participants.through.objects.filter(conversation_id=conversation_id, user_id=user.id).exists()


@transaction.atomic
def add_message(conversation_id, sender, name, text):
    """Stores a message and a notification for each other participant; returns both."""
    message = Message.objects.create(conversation_id=conversation_id, sender=sender, message=text)
    participants = Conversation.participants.through.objects.filter(conversation_id=conversation_id)
    others = participants.exclude(user_id=sender.id).values_list("user_id", flat=True)
    notifications = [
        Notification(
            user_id=user_id,
            title=f"New message from {name}",
            message=f"New message in conversation: {text[:50]}...",
            notification_type="chat_message",
            related_object_type="conversation",
            related_object_id=conversation_id,
            data={"conversation_id": conversation_id, "message_id": message.id},
        )
        for user_id in others
    ]
    return message, Notification.objects.bulk_create(notifications)
