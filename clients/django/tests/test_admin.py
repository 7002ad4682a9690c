"""The models on the server's real rows, and their pages in the admin."""

import re
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal

import pytest
from django.apps import apps
from django.contrib.admin import site
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Q, Value
from django.test import Client
from django.urls import reverse
from django.utils import formats
from django.utils import timezone as clock
from live import wait_until
from test_api import TRIP, drives

import holodrive
from holodrive import models, transport
from holodrive.fields import MomentField
from holodrive.tokens import access_token


@pytest.fixture
def trip(make_user):
    """An order that was offered, with everything that hangs on it."""
    rider, driver = make_user(), make_user(groups=["Driver"])
    at = {"latitude": 41.3, "longitude": "69.25"}
    transport.request("PUT", "/api/driver/location/", at, authorization=f"Bearer {access_token(driver)}")
    order = holodrive.create_order(rider, **TRIP)
    holodrive.assign(order, driver)
    transport.request("POST", f"/api/driver/orders/{order.id}/accept/", {}, authorization=f"Bearer {access_token(driver)}")
    stored = models.Order.objects.get(pk=order.id)
    holodrive.send_message(stored.conversation_id, "<b>Keldim</b>", sender=driver)
    return stored


@pytest.fixture
def admin(make_user):
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(make_user(staff=True))
    return client


def pages(*things):
    return [reverse(f"admin:holodrive_{thing._meta.model_name}_change", args=[thing.pk]) for thing in things]


def test_moments_and_coordinates(trip):
    now = datetime.now(timezone.utc)
    assert now - timedelta(minutes=1) < trip.created_at <= now and trip.created_at.microsecond
    assert trip.search_until > trip.created_at
    assert (trip.latitude_from, trip.longitude_to) == (Decimal("41.311081"), Decimal("69.240074"))
    same = models.Order.objects.filter(pk=trip.pk)
    assert same.filter(created_at=trip.created_at, latitude_from=41.311081, longitude_to="69.240074").exists()
    assert same.filter(created_at__gt=trip.created_at - timedelta(seconds=1)).exists()
    assert same.filter(created_at__gte=clock.localdate() - timedelta(days=1), created_at__lt="2100-01-01").exists()
    assert not same.filter(created_at__gt=trip.created_at).exists()
    assert list(models.Order.objects.order_by("-created_at")[:1]) == [trip]


def test_what_belongs_to_an_order(trip):
    assert [offer.state for offer in trip.offers.all()] == ["accepted"]
    assert {"created", "offered", "accepted"} <= {event.type for event in trip.events.all()}
    assert isinstance(trip.events.get(type="offered").details, dict)
    people = {each.user for each in trip.conversation.participants.select_related("user")}
    assert people == {trip.rider, trip.driver}
    assert trip.conversation.order == trip and trip.conversation.messages.get().sender == trip.driver
    driver = models.Driver.objects.get(driver=trip.driver)
    assert (driver.latitude, driver.longitude) == (Decimal("41.3"), Decimal("69.25"))


def test_every_table_can_be_read(trip):
    for model in apps.get_app_config("holodrive").get_models():
        assert all(str(row) for row in model.objects.all()[:3]), model


SECRETS = {"holodrive_order": {"start_pin"}, "holodrive_device": {"token"}}


def test_models_have_all_columns_but_the_secret_ones():
    for model in apps.get_app_config("holodrive").get_models():
        with connection.cursor() as cursor:
            described = connection.introspection.get_table_description(cursor, model._meta.db_table)
        left_out = {column.name for column in described} - {field.column for field in model._meta.local_concrete_fields}
        assert left_out == SECRETS.get(model._meta.db_table, set()), model


def test_an_order_for_later_says_so(admin, user):
    at = clock.now() + timedelta(days=1)
    order = holodrive.create_order(user, **TRIP, pickup_at=at, vehicle_class="comfort", seats=4)
    stored = models.Order.objects.get(pk=order.id)
    assert (stored.pickup_at, stored.vehicle_class, stored.seats) == (at, "comfort", 4)
    assert stored.created_at < stored.search_from < at
    assert models.Order.objects.get(pk=holodrive.create_order(user, **TRIP).id).pickup_at is None
    address, shown = reverse("admin:holodrive_order_changelist"), str(formats.localize(clock.localtime(at)))
    assert shown in admin.get(address, {"q": order.id}).text
    tomorrow = {"pickup_at__gte": clock.localdate(at), "pickup_at__lt": clock.localdate(at) + timedelta(days=1)}
    assert order.order_code in admin.get(address, {**tomorrow, "q": order.id}).text
    page = admin.get(pages(stored)[0]).text
    assert shown in page and "comfort" in page and "start_pin" not in page


def test_devices_and_vehicles_are_shown(admin, make_user):
    driver = make_user(groups=["Driver"])
    holodrive.register_device(driver, platform="fcm", token=f"{driver.pk}-secret", name="Pixel 9")
    holodrive.set_vehicle(driver, classes=["comfort", "van"], seats=6)
    [device] = models.Device.objects.filter(user=driver)
    name = driver.get_username()
    for model, row, words in ((models.Device, device, ["Pixel 9", "FCM"]),
                              (models.Driver, models.Driver.objects.get(driver=driver), ["comfort, van", "6"])):
        found = admin.get(reverse(f"admin:holodrive_{model._meta.model_name}_changelist"), {"q": name}).text
        page = admin.get(pages(row)[0])
        assert page.status_code == 200 and all(word in found and word in page.text for word in words)
        assert "secret" not in found and "secret" not in page.text


def test_every_list_page_filters_searches_and_orders(admin, trip):
    registered = [model for model in apps.get_app_config("holodrive").get_models() if site.is_registered(model)]
    assert {models.Order, models.Driver, models.Device} <= set(registered)
    for model in registered:
        address = reverse(f"admin:holodrive_{model._meta.model_name}_changelist")
        for query in ("", "?q=1", "?q=user", "?o=1", "?o=-2"):
            page = admin.get(address + query)
            assert page.status_code == 200, address + query
            assert f'href="{address}add/' not in page.text and "delete_selected" not in page.text
        assert admin.get(f"{address}add/").status_code == 403


def test_filters_by_status_and_time(admin, trip):
    address = reverse("admin:holodrive_order_changelist")
    assert trip.order_code in admin.get(f"{address}?status__exact=accepted&q={trip.pk}").text
    assert trip.order_code not in admin.get(f"{address}?status__exact=searching&q={trip.pk}").text
    day = clock.localdate()
    today = f"created_at__gte={day}&created_at__lt={day + timedelta(days=1)}"
    assert trip.order_code in admin.get(f"{address}?{today}&q={trip.pk}").text
    assert trip.order_code not in admin.get(f"{address}?created_at__gte={day + timedelta(days=1)}&q={trip.pk}").text


def test_search_finds_people(admin, trip):
    page = admin.get(reverse("admin:holodrive_order_changelist"), {"q": trip.rider.get_username()})
    assert page.text.count("ORD-") == 1 and trip.order_code in page.text


def test_every_page_shows_and_changes_nothing(admin, trip):
    notification = models.Notification.objects.filter(user=trip.rider).first()
    things = [trip, trip.offers.get(), trip.events.first(), trip.conversation, trip.conversation.messages.get(),
              models.Driver.objects.get(driver=trip.driver), notification]
    for address in pages(*things):
        page = admin.get(address)
        assert page.status_code == 200, address
        assert 'name="_save"' not in page.text and "deletelink" not in page.text
        assert admin.post(address, {"status": "cancelled"}).status_code == 403
        assert admin.post(address.replace("/change/", "/delete/"), {"post": "yes"}).status_code == 403


def test_pages_lead_to_each_other(admin, trip):
    order, offer, conversation = (admin.get(address).text for address in pages(trip, trip.offers.get(), trip.conversation))
    assert pages(trip.offers.get())[0] in order and pages(trip.conversation)[0] in order
    assert pages(trip)[0] in offer and pages(trip)[0] in conversation
    assert pages(trip.conversation.messages.get())[0] in conversation


def test_texts_are_escaped(admin, trip):
    for address in pages(trip.conversation, trip.conversation.messages.get()):
        text = admin.get(address).text
        assert "<b>Keldim" not in text and "&lt;b&gt;Keldim" in text


def test_moments_are_shown_in_the_sites_time_zone(admin, trip):
    shown = formats.localize(clock.localtime(trip.created_at))
    assert str(shown) in admin.get(pages(trip)[0]).text


def test_an_order_tells_its_history_and_its_offers_in_words(admin, make_user, trip):
    page = admin.get(pages(trip)[0]).text
    assert f"offer_id: {trip.offers.get().pk}" in page
    assert f">{trip.offers.get().distance_km:.2f}<" in page
    driver, rider = make_user(groups=["Driver"]), make_user()
    drives(driver, at={"latitude": 15.0, "longitude": 25.0})
    order = holodrive.create_order(rider, **{**TRIP, "latitude_from": 15.0, "longitude_from": 25.0})
    wait_until(lambda: models.OrderEvent.objects.filter(order_id=order.id, type="offered"), "he is asked")
    page = admin.get(pages(models.Order.objects.get(pk=order.id))[0]).text
    assert f"considered: distance_km 0.0, driver_id {driver.pk}, skipped -" in page


def test_a_delivery_is_shown_like_every_moment(admin, user):
    [id] = holodrive.notify(user, title="t", message="m")
    notification = models.Notification.objects.get(pk=id)
    assert "None" not in admin.get(pages(notification)[0]).text.partition("fieldset")[2]


def test_rows_outlive_their_users(admin, trip):
    trip.rider.delete()
    trip.driver.delete()
    for model, row in ((models.Order, trip), (models.Offer, trip.offers.get()), (models.Message, trip.conversation.messages.get())):
        address = reverse(f"admin:holodrive_{model._meta.model_name}_changelist")
        assert pages(row)[0] in admin.get(address).text and admin.get(pages(row)[0]).status_code == 200
    assert admin.get(pages(trip.conversation)[0]).status_code == 200


def test_a_long_conversation_shows_its_newest_messages(admin, trip, monkeypatch):
    monkeypatch.setattr("holodrive.admin.INLINE_ROWS_MAX", 2)
    for number in range(3):
        holodrive.send_message(trip.conversation_id, f"text {number}", sender=trip.driver)
    page = admin.get(pages(trip.conversation)[0]).text
    assert "text 2" in page and "text 1" in page and "text 0" not in page
    [address] = re.findall(r'href="([^"]*conversation__id__exact=[^"]*)">4<', page)
    assert "text 0" in admin.get(address).text


def test_notifications_are_filtered_by_status(admin, trip):
    address = reverse("admin:holodrive_notification_changelist")
    query = {"q": trip.rider.get_username()}
    assert trip.rider.get_username() in admin.get(address, {**query, "status": "unread"}).text.partition("result_list")[2]
    assert "0 notifications" in admin.get(address, {**query, "status": "read"}).text


def test_permissions_are_djangos(make_user, trip):
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(make_user())
    assert client.get(reverse("admin:holodrive_order_changelist")).status_code == 302


def test_moments_are_found_by_date_and_year(user):
    [id] = holodrive.notify(user, title="t", message="m")
    mine = models.Notification.objects.filter(user=user)
    created = clock.localtime(mine.get(pk=id).created_at)
    day, next_day = created.date(), created.date() + timedelta(days=1)
    assert mine.filter(created_at__date=day).exists() and mine.filter(created_at__date=day.isoformat()).exists()
    assert not mine.filter(created_at__date=next_day).exists() and mine.exclude(created_at__date=next_day).exists()
    assert mine.filter(created_at__year=created.year).exists()
    assert not mine.filter(Q(created_at__year=created.year - 1) | Q(created_at__year=created.year + 1)).exists()
    for rubbish in ({"created_at__year": "x"}, {"created_at__year": 9999}, {"created_at__date": "soon"}):
        with pytest.raises(ValidationError):
            mine.filter(**rubbish)
    midnight = datetime.combine(day, time.min, tzinfo=created.tzinfo)
    rows = models.Notification.objects.filter(pk=id).annotate(moment=Value(midnight, output_field=MomentField()))
    assert rows.filter(moment__date=day).exists() and not rows.filter(moment__date=day - timedelta(days=1)).exists()
