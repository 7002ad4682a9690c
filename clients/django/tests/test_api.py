"""notify(), orders and chat against the real server."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

import holodrive
from holodrive import HoloDriveError, models, transport
from holodrive.tokens import access_token

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


def test_who_comes_into_question_by_vehicle(make_user):
    van, small = make_user(groups=["Driver"]), make_user(groups=["Driver"])
    for driver in (van, small):
        drives(driver, at={"latitude": 10.0, "longitude": 20.0})
    vehicle = holodrive.set_vehicle(van, classes=["comfort", "van"], seats=6)
    assert (vehicle.driver_id, vehicle.classes, vehicle.seats) == (van.pk, ("comfort", "van"), 6)
    assert holodrive.set_vehicle(small.pk, classes=[], seats=4).classes == ()
    stored = models.Driver.objects.get(driver=van)
    assert (stored.vehicle_classes, stored.vehicle_seats) == (["comfort", "van"], 6)
    trip = {**TRIP, "latitude_from": 10.0, "longitude_from": 20.0}
    order = holodrive.create_order(make_user(), **trip, vehicle_class="van", seats=5, pickup_at=timezone.now() + timedelta(days=1))
    found = {each.driver_id: (each.distance_km, each.skipped) for each in holodrive.candidates(order)}
    assert found == {van.pk: (0, None), small.pk: (0, "wrong_class")}
    with pytest.raises(HoloDriveError) as refused:
        holodrive.set_vehicle(van, classes=["van"], seats=0)
    assert set(refused.value.errors) == {"seats"}


def drives(driver, at):
    """Somebody who is online, and was heard of a moment ago."""
    token = {"authorization": f"Bearer {access_token(driver)}"}
    assert transport.request("PUT", "/api/driver/location/", at, **token).is_success
    assert transport.request("PUT", "/api/driver/status/", {"status": "online"}, **token).is_success


def test_an_order_is_taken_from_its_driver_again(make_user):
    driver = make_user(groups=["Driver"])
    drives(driver, at={"latitude": 41.3, "longitude": 69.25})
    order = holodrive.create_order(make_user(), **TRIP)
    offered = holodrive.assign(order, driver)
    assert offered.distance_to_pickup_km and offered.eta_seconds and offered.expires_at
    path = f"/api/driver/orders/{order.id}/accept/"
    transport.request("POST", path, {}, authorization=f"Bearer {access_token(driver)}")
    assert holodrive.unassign(order).driver_id is None
    assert models.Offer.objects.filter(order_id=order.id, driver=driver).get().state == "released"
    with pytest.raises(HoloDriveError) as refused:
        holodrive.unassign(order)
    assert refused.value.status == 409


def test_a_device_is_registered_once(user):
    token = f"{user.pk}-token"
    device = holodrive.register_device(user, platform="fcm", token=token, name="Pixel 9")
    assert (device.user_id, device.platform, device.name) == (user.pk, "fcm", "Pixel 9")
    again = holodrive.register_device(user.pk, platform="fcm", token=token)
    assert (again.id, again.name) == (device.id, None)
    stored = models.Device.objects.get(user=user)
    assert (stored.pk, stored.platform, stored.registered_at) == (again.id, "fcm", again.registered_at)


def test_every_call_has_an_asynchronous_twin(make_user):
    driver = make_user(groups=["Driver"])
    assert asyncio.run(holodrive.aset_vehicle(driver, classes=["van"], seats=6)).seats == 6
    assert asyncio.run(holodrive.aregister_device(driver, platform="apns", token="ab12")).platform == "apns"
    order = asyncio.run(holodrive.acreate_order(driver, **TRIP))
    assert isinstance(asyncio.run(holodrive.acandidates(order)), list)
    with pytest.raises(HoloDriveError):
        asyncio.run(holodrive.aunassign(order))
    public = {name for name in holodrive.__all__ if name.islower()}
    assert public == {name for name in public if f"a{name}" in public or name[1:] in public}


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
