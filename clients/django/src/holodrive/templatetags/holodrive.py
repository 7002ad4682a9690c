"""`{% load holodrive %}{% holodrive_notifications %}`."""

from __future__ import annotations

import logging
from typing import Any

from django import template
from django.db import DatabaseError, router, transaction
from django.template import Context
from django.urls import NoReverseMatch, reverse

from holodrive.conf import config
from holodrive.models import Conversation, Notification, Order

logger = logging.getLogger("holodrive")
register = template.Library()

LINKED = {"order": Order, "conversation": Conversation}


@register.inclusion_tag("holodrive/notifications.html", takes_context=True)
def holodrive_notifications(context: Context, limit: int = 20) -> dict[str, Any]:
    """The live bell of whoever is logged in, with his last notifications; nothing for anybody else."""
    request = context.get("request")
    user = getattr(request, "user", None) or context.get("user")
    if user is None or not user.is_authenticated:
        return {"is_shown": False}
    nonce = context.get("csp_nonce")
    return {
        "is_shown": True,
        "websocket_url": config.websocket_url,
        "csp_nonce": "" if nonce is None else str(nonce),
        "state": {**_stored(user, limit), "links": _links(user), "limit": limit},
    }


def _stored(user: Any, limit: int) -> dict[str, Any]:
    """What the page begins with. Where the tables cannot be read the bell is live all the same."""
    mine = Notification.objects.filter(user_id=user.pk)
    try:
        with transaction.atomic(using=router.db_for_read(Notification)):
            newest, unread = list(mine[:limit]), mine.filter(read_at=None).count()
    except DatabaseError:
        logger.exception("The table of notifications cannot be read: run `holodrive migrate`")
        return {"notifications": [], "unread": 0, "since": None}
    return {
        "notifications": [_shown(each) for each in newest],
        "unread": unread,
        "since": newest[0].pk if newest else 0,
    }


def _shown(notification: Notification) -> dict[str, Any]:
    """The same as the socket sends."""
    return {
        "id": notification.pk,
        "title": notification.title,
        "message": notification.message,
        "related_object_type": notification.related_object_type,
        "related_object_id": notification.related_object_id,
        "created_at": notification.created_at,
        "status": notification.status,
    }


def _links(user: Any) -> dict[str, str]:
    """Where the admin shows what a notification is about, with 0 for its key."""
    links = {}
    for kind, model in LINKED.items():
        name = model._meta.model_name
        if user.has_perm(f"holodrive.view_{name}"):
            try:
                links[kind] = reverse(f"admin:holodrive_{name}_change", args=[0])
            except NoReverseMatch:
                continue
    return links
