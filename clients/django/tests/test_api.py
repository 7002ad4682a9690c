"""notify(), orders and chat against the real server."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

import holodrive
from holodrive import HoloDriveError, models

TRIP = {
    "address_from": "Amir Temur 1", "address_to": "Chorsu", "latitude_from": "41.311081", "longitude_from": 69.240562,
    "latitude_to": Decimal("41.299496"), "longitude_to": "69.240074",
}


def titles(user):
    return [each.title for each in models.Notification.objects.filter(user=user).order_by("id")]


def test_notify_one_user(user):
    order = holodrive.create_order(user, **TRIP)
    [id] = holodrive.notify(
        user, title="Salom", message="Xush kelibsiz", notification_type="greeting",
        related_object=models.Order.objects.get(pk=order.id), data={"a": [1]},
    )
    stored = models.Notification.objects.get(pk=id)
    assert (stored.user, stored.title, stored.message) == (user, "Salom", "Xush kelibsiz")
    assert (stored.notification_type, stored.data, stored.status) == ("greeting", {"a": [1]}, "unread")
    assert (stored.related_object_type, stored.related_object_id) == ("order", order.id)


def test_notify_by_key_several_a_queryset_and_a_group(make_user):
    first, second = make_user(groups=["Couriers"]), make_user(groups=["Couriers"])
    both = get_user_model().objects.filter(pk__in=[first.pk, second.pk])
    holodrive.notify(first.pk, title="key", message="m")
    assert len(holodrive.notify([first, second.pk], title="list", message="m")) == 2
    assert len(holodrive.notify(both, title="queryset", message="m")) == 2
    assert len(holodrive.notify("Couriers", title="name", message="m")) == 2
    assert len(holodrive.notify(first.groups.get(), title="group", message="m")) == 2
    assert titles(first) == ["key", "list", "queryset", "name", "group"]
    assert titles(second) == ["list", "queryset", "name", "group"]


def test_nobody_is_no_request():
    assert holodrive.notify([], title="t", message="m") == []


def test_the_same_key_notifies_once(user):
    first = holodrive.notify(user, title="once", message="m", idempotency_key=f"once-{user.pk}")
    assert holodrive.notify(user, title="once", message="m", idempotency_key=f"once-{user.pk}") == first
    assert titles(user) == ["once"]


def test_on_commit(user):
    with transaction.atomic():
        assert holodrive.notify(user, title="committed", message="m", on_commit=True) is None
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        holodrive.notify(user, title="rolled back", message="m", on_commit=True)
        raise ZeroDivisionError
    assert titles(user) == ["committed"]


def test_a_failure_after_the_commit_is_logged_and_not_raised(user, caplog):
    with transaction.atomic():
        holodrive.notify(user, title="", message="m", on_commit=True)
    assert "title" in caplog.text and titles(user) == []


def test_a_refusal_says_why(user):
    with pytest.raises(HoloDriveError) as refused:
        holodrive.notify(user, title="", message="x" * 5000)
    assert refused.value.status == 400 and set(refused.value.errors) == {"title", "message"}
    assert refused.value.code and "title" in str(refused.value)


def test_a_related_object_needs_an_integer_key(user):
    with pytest.raises(TypeError, match="integer keys"):
        holodrive.notify(user, title="t", message="m", related_object=("thing", "abc"))


def test_asynchronous(user):
    asyncio.run(holodrive.anotify(user, title="async", message="m"))
    assert titles(user) == ["async"]


def test_an_order_from_its_beginning_to_its_end(make_user):
    rider, driver = make_user(), make_user(groups=["Driver"])
    order = holodrive.create_order(rider, **TRIP)
    assert (order.rider_id, order.status, order.driver_id) == (rider.pk, "searching", None)
    assert order.order_code == f"ORD-{order.id:06}" and order.longitude_from == Decimal("69.240562")
    assert holodrive.assign(order, driver).status == "pending"
    cancelled = holodrive.cancel_order(order, by=rider)
    assert cancelled.status == "cancelled"
    assert models.OrderEvent.objects.filter(order_id=order.id, type="cancelled").get().actor == rider
    with pytest.raises(HoloDriveError) as refused:
        holodrive.assign(order.id, driver)
    assert refused.value.status == 409


def test_an_order_for_later_in_a_vehicle(user):
    at = timezone.now() + timedelta(hours=2)
    order = holodrive.create_order(user, **TRIP, pickup_at=at, vehicle_class="comfort", seats=4)
    assert (order.pickup_at, order.vehicle_class, order.seats) == (at, "comfort", 4)
    without_offset = timezone.make_naive(at)
    assert holodrive.create_order(user, **TRIP, pickup_at=without_offset).pickup_at == at
    plain = holodrive.create_order(user, **TRIP)
    assert (plain.pickup_at, plain.vehicle_class, plain.seats) == (None, None, None)


def test_chat(make_user):
    alice, bob, stranger = make_user(first_name="Alice"), make_user(), make_user()
    conversation = holodrive.create_conversation([alice, bob.pk])
    assert set(conversation.participant_ids) == {alice.pk, bob.pk}
    sent = holodrive.send_message(conversation, "Salom!", sender=alice, client_id="c-1")
    again = holodrive.send_message(conversation.id, "Salom!", sender=alice, client_id="c-1")
    assert sent == again and (sent.sender_id, sent.sender_name, sent.client_id) == (alice.pk, "Alice", "c-1")
    stored = models.Message.objects.get(conversation_id=conversation.id)
    assert (stored.pk, stored.created_at, stored.sender) == (sent.message_id, sent.created_at, alice)
    with pytest.raises(HoloDriveError) as refused:
        holodrive.send_message(conversation, "hm", sender=stranger)
    assert refused.value.status in {403, 404}


def test_support(user):
    conversation = holodrive.support_conversation(user)
    assert conversation.kind == "support"
    assert holodrive.support_conversation(user).id == conversation.id


def test_without_simplejwt_the_token_is_the_same_to_the_server(user):
    from holodrive import tokens, transport

    answer = transport.request("GET", "/api/me/", authorization=f"Bearer {tokens._default_token(user)}")
    assert answer.json()["username"] == user.get_username()
