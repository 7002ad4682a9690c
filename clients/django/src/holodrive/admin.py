"""Pages to look at the server's tables. Nothing can be changed here: that is what the API is for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin import DateFieldListFilter
from django.contrib.admin.utils import display_for_value
from django.contrib.auth import get_user_model
from django.db.models import Model, QuerySet
from django.forms import models as forms
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from . import models

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
    BaseInlineFormSet = forms.BaseInlineFormSet[Any, Any, Any]
else:
    ModelAdmin, TabularInline, BaseInlineFormSet = admin.ModelAdmin, admin.TabularInline, forms.BaseInlineFormSet

INLINE_ROWS_MAX = 100


def link(thing: Model | None) -> str | SafeString:
    """A link to the page of what a row refers to."""
    if thing is None:
        return "-"
    address = reverse(f"admin:{thing._meta.app_label}_{thing._meta.model_name}_change", args=[thing.pk])
    return format_html('<a href="{}">{}</a>', address, thing)


def pretty(value: Any) -> SafeString:
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))


def lines(details: dict[str, Any]) -> str | SafeString:
    """The same in a table: a line for each value, and for each entry of a list, as of the drivers who were considered."""
    entries = [
        (name, _in_words(each))
        for name, value in details.items()
        for each in (value if isinstance(value, list) else [value])
    ]
    return format_html_join(mark_safe("<br>"), "{}: {}", entries) or "-"


def _in_words(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_in_words(part)}" for name, part in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def searched(*relations: str) -> list[str]:
    """Finds users by their login name, whatever the user model calls it."""
    name = get_user_model().USERNAME_FIELD
    return [f"{relation}__{name}" for relation in relations]


class ReadOnly:
    """Whoever may see it may see it only."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnly, ModelAdmin):
    """A list and a page, without buttons that change anything."""

    list_per_page = 50
    show_full_result_count = False
    people: tuple[str, ...] = ()

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [*super().get_search_fields(request), *searched(*self.people)]


class Shortened(BaseInlineFormSet):
    """The first rows of what may be long."""

    def get_queryset(self) -> QuerySet[Any]:
        if not hasattr(self, "shortened"):
            self.shortened = super().get_queryset()[:INLINE_ROWS_MAX]
        return self.shortened


class ReadOnlyInline(ReadOnly, TabularInline):
    """Rows that belong to a page."""

    formset = Shortened
    extra = 0
    can_delete = False
    show_change_link = True


class Distance:
    """The way to the pickup as the interfaces show it."""

    @admin.display(description=_("distance km"), ordering="distance_km")
    def distance(self, offer: models.Offer) -> str:
        return "-" if offer.distance_km is None else f"{offer.distance_km:.2f}"


class OfferInline(Distance, ReadOnlyInline):
    model = models.Offer
    fields = [
        "driver", "state", "reason", "distance", "created_at", "expires_at", "pushed_at", "delivered_at", "ended_at",
    ]
    readonly_fields = ["distance"]
    ordering = ["id"]


class OrderEventInline(ReadOnlyInline):
    model = models.OrderEvent
    fields = ["at", "type", "actor", "shown_details"]
    readonly_fields = ["shown_details"]
    ordering = ["id"]

    @admin.display(description=_("details"))
    def shown_details(self, event: models.OrderEvent) -> str:
        return lines(event.details)


class MessageInline(ReadOnlyInline):
    model = models.Message
    fields = ["created_at", "sender_name", "is_from_support", "message"]
    ordering = ["-id"]
    verbose_name_plural = _("newest messages")


@admin.register(models.Order)
class OrderAdmin(ReadOnlyAdmin):
    list_display = ["code", "status", "rider", "driver", "address_from", "address_to", "pickup_at", "created_at"]
    list_filter = ["status", ("created_at", DateFieldListFilter), ("pickup_at", DateFieldListFilter), "order_type"]
    list_select_related = ["rider", "driver"]
    search_fields = ["=id", "address_from", "address_to"]
    people = ("rider", "driver")
    fields = [
        ("status", "order_type"), ("rider", "driver"), ("address_from", "latitude_from", "longitude_from"),
        ("address_to", "latitude_to", "longitude_to"), ("pickup_at", "vehicle_class", "seats"),
        ("created_at", "search_from", "search_until"), "conversation",
    ]
    inlines = [OfferInline, OrderEventInline]

    @admin.display(description=_("order"), ordering="id")
    def code(self, order: models.Order) -> str:
        return order.order_code


@admin.register(models.Offer)
class OfferAdmin(Distance, ReadOnlyAdmin):
    list_display = ["id", "order_link", "driver", "state", "reason", "distance", "created_at", "ended_at"]
    list_filter = ["state", ("created_at", DateFieldListFilter)]
    list_select_related = ["order", "driver"]
    search_fields = ["=order__id"]
    people = ("driver",)
    fields = [
        "order", "driver", ("state", "reason"), "distance", ("slot", "exclusive"), ("created_at", "expires_at", "ended_at"),
        ("push_at", "pushed_at"), ("unreachable_at", "delivered_at"),
    ]

    @admin.display(description=_("order"), ordering="order")
    def order_link(self, offer: models.Offer) -> str:
        return link(offer.order)


@admin.register(models.OrderEvent)
class OrderEventAdmin(ReadOnlyAdmin):
    list_display = ["id", "at", "order_link", "type", "actor"]
    list_filter = [("at", DateFieldListFilter)]
    list_select_related = ["order", "actor"]
    search_fields = ["=order__id", "type"]
    people = ("actor",)
    fields = ["order", "at", "type", "actor", "pretty_details"]

    @admin.display(description=_("order"), ordering="order")
    def order_link(self, event: models.OrderEvent) -> str:
        return link(event.order)

    @admin.display(description=_("details"))
    def pretty_details(self, event: models.OrderEvent) -> str:
        return pretty(event.details)


@admin.register(models.Driver)
class DriverAdmin(ReadOnlyAdmin):
    list_display = [
        "driver", "status", "latitude", "longitude", "position_at", "seen_at", "classes", "vehicle_seats",
    ]
    list_filter = ["status", ("seen_at", DateFieldListFilter)]
    list_select_related = ["driver"]
    people = ("driver",)
    fields = [
        "driver", "status", ("latitude", "longitude", "position_at"), "seen_at", ("classes", "vehicle_seats"),
    ]

    @admin.display(description=_("vehicle classes"), ordering="vehicle_classes")
    def classes(self, driver: models.Driver) -> str:
        return ", ".join(driver.vehicle_classes or []) or "-"


@admin.register(models.Device)
class DeviceAdmin(ReadOnlyAdmin):
    list_display = ["id", "user", "platform", "name", "registered_at"]
    list_filter = ["platform", ("registered_at", DateFieldListFilter)]
    list_select_related = ["user"]
    search_fields = ["=id", "name"]
    people = ("user",)


@admin.register(models.Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    list_display = ["id", "kind", "order_link", "created_by", "created_at", "closed_at"]
    list_filter = ["kind", ("created_at", DateFieldListFilter)]
    list_select_related = ["order", "created_by"]
    search_fields = ["=id", "=order__id"]
    people = ("created_by",)
    fields = ["kind", "order", "created_by", "participants", "created_at", "closed_at", "all_messages"]
    inlines = [MessageInline]

    @admin.display(description=_("order"), ordering="order")
    def order_link(self, conversation: models.Conversation) -> str:
        return link(conversation.order)

    @admin.display(description=_("participants"))
    def participants(self, conversation: models.Conversation) -> str:
        people = conversation.participants.select_related("user").order_by("joined_at")
        return format_html_join(", ", "{}", ((each.user,) for each in people)) or "-"


    @admin.display(description=_("messages"))
    def all_messages(self, conversation: models.Conversation) -> str:
        address = reverse("admin:holodrive_message_changelist")
        count = conversation.messages.count()
        return format_html('<a href="{}?conversation__id__exact={}">{}</a>', address, conversation.pk, count)


@admin.register(models.Message)
class MessageAdmin(ReadOnlyAdmin):
    list_display = ["id", "conversation_link", "sender_name", "text", "is_from_support", "created_at"]
    list_filter = ["is_from_support", ("created_at", DateFieldListFilter)]
    list_select_related = ["conversation"]
    search_fields = ["=conversation__id", "sender_name", "message"]
    people = ("sender",)

    @admin.display(description=_("conversation"), ordering="conversation")
    def conversation_link(self, message: models.Message) -> str:
        return link(message.conversation)

    @admin.display(description=_("message"))
    def text(self, message: models.Message) -> str:
        return message.message if len(message.message) <= 80 else f"{message.message[:79]}…"


class StatusFilter(admin.SimpleListFilter):
    """Read or not."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("unread", _("Unread")), ("read", _("Read"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value()
        return queryset if wanted is None else queryset.filter(read_at__isnull=wanted == "unread")


@admin.register(models.Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = ["id", "title", "user", "notification_type", "created_at", "read_at"]
    list_filter = [StatusFilter, ("created_at", DateFieldListFilter)]
    list_select_related = ["user"]
    search_fields = ["=id", "title", "message", "notification_type"]
    people = ("user",)
    fields = [
        "user", "title", "message", "notification_type", "related_object_type", "related_object_id", "pretty_data",
        "created_at", "read_at", "delivery_written", "delivery_confirmed",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("delivery")

    @admin.display(description=_("data"))
    def pretty_data(self, notification: models.Notification) -> str:
        return pretty(notification.data)

    @admin.display(description=_("reached a connection"))
    def delivery_written(self, notification: models.Notification) -> str:
        return _delivery(notification, "written_at")

    @admin.display(description=_("confirmed by a device"))
    def delivery_confirmed(self, notification: models.Notification) -> str:
        return _delivery(notification, "confirmed_at")


def _delivery(notification: models.Notification, step: str) -> str:
    return display_for_value(getattr(getattr(notification, "delivery", None), step, None), "-")
