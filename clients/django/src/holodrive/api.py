"""What Django code calls: each function is one request to the server, tried again where that is safe."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, overload

from asgiref.sync import sync_to_async
from django.db import transaction
from django.db.models import Model
from django.utils import timezone

from . import transport
from .conf import config
from .results import Candidate, ChatMessage, Conversation, Device, Order, Vehicle
from .tokens import access_token

if TYPE_CHECKING:
    # It is a model, and this module is imported before there may be any.
    from django.contrib.auth.base_user import AbstractBaseUser

User: TypeAlias = "AbstractBaseUser | int | uuid.UUID"
"""A user, or the key of one."""
Recipients: TypeAlias = Any
"""A user, his key, a `Group`, a group's name, or an iterable of users and keys (a queryset too)."""
Coordinate: TypeAlias = Decimal | float | str
RECIPIENTS_MAX: Final = 10_000


@overload
def notify(
    to: Recipients, *, title: str, message: str, notification_type: str = ..., related_object: Any = ...,
    data: Mapping[str, Any] | None = ..., on_commit: Literal[False] = ..., using: str | None = ...,
    idempotency_key: str | None = ...,
) -> list[int]: ...
@overload
def notify(
    to: Recipients, *, title: str, message: str, notification_type: str = ..., related_object: Any = ...,
    data: Mapping[str, Any] | None = ..., on_commit: Literal[True], using: str | None = ...,
    idempotency_key: str | None = ...,
) -> None: ...
def notify(
    to: Recipients,
    *,
    title: str,
    message: str,
    notification_type: str = "info",
    related_object: Any = None,
    data: Mapping[str, Any] | None = None,
    on_commit: bool = False,
    using: str | None = None,
    idempotency_key: str | None = None,
) -> list[int] | None:
    """Notifies a user, several users or a group, and returns the keys of the notifications.

    `related_object` is a model instance with an integer key, or a pair of type and key. With `on_commit` it happens
    after the transaction of the database `using` has committed, and not at all if it is rolled back; there is nothing
    to return then, and a failure is logged rather than raised. The same `idempotency_key` notifies once in 24 hours.
    """
    related_type, related_id = _related(related_object)
    content = {
        "title": title,
        "message": message,
        "notification_type": notification_type,
        "related_object_type": related_type,
        "related_object_id": related_id,
        "data": dict(data or {}),
    }
    requests = _notifications(_recipients(to), content, idempotency_key or _new_key())

    def send() -> list[int]:
        return [id for body, key in requests for id in _as_backend("/api/notifications/", body, key)["ids"]]

    if not on_commit:
        return send()
    transaction.on_commit(lambda: _discard(send), using=using, robust=True)
    return None


def _notifications(
    recipients: list[dict[str, Any]], content: Mapping[str, Any], key: str
) -> list[tuple[dict[str, Any], str]]:
    """One request for each part, each with a key of its own that follows from the caller's."""
    keys = [key] if len(recipients) == 1 else [f"{key}:{number}" for number in range(len(recipients))]
    return [({**part, **content}, part_key) for part, part_key in zip(recipients, keys, strict=True)]


def create_order(
    rider: User,
    *,
    address_from: str,
    address_to: str,
    latitude_from: Coordinate,
    longitude_from: Coordinate,
    latitude_to: Coordinate,
    longitude_to: Coordinate,
    order_type: str = "pickup",
    pickup_at: datetime | None = None,
    vehicle_class: str | None = None,
    seats: int | None = None,
    idempotency_key: str | None = None,
) -> Order:
    """Places an order for `rider`; the server starts to look for a driver, or does so some time before `pickup_at`.

    `vehicle_class` and `seats` are what the driver's vehicle must have; `set_vehicle` says what it has.
    """
    wishes = {
        "pickup_at": None if pickup_at is None else _moment(pickup_at), "vehicle_class": vehicle_class, "seats": seats,
    }
    body = {
        "rider_id": _key_of(rider),
        "address_from": address_from,
        "address_to": address_to,
        "latitude_from": _degrees(latitude_from),
        "longitude_from": _degrees(longitude_from),
        "latitude_to": _degrees(latitude_to),
        "longitude_to": _degrees(longitude_to),
        "order_type": order_type,
        **{name: wish for name, wish in wishes.items() if wish is not None},
    }
    return Order.from_json(_as_backend("/api/orders/", body, idempotency_key))


def assign(order: Order | Model | int, driver: User, *, idempotency_key: str | None = None) -> Order:
    """Offers the order to this driver now, wherever he is; he still has to accept it."""
    path = f"/api/orders/{_id_of(order)}/assign/"
    return Order.from_json(_as_backend(path, {"driver_id": _key_of(driver)}, idempotency_key))


def unassign(order: Order | Model | int, *, idempotency_key: str | None = None) -> Order:
    """Takes an order from the driver who is on his way; it searches again."""
    return Order.from_json(_as_backend(f"/api/orders/{_id_of(order)}/unassign/", {}, idempotency_key))


def candidates(order: Order | Model | int) -> list[Candidate]:
    """Who comes into question at this moment for an order that nobody has, the nearest first, and what keeps him from being asked."""
    answer = _request("GET", f"/api/orders/{_id_of(order)}/candidates/", None, _backend(), None)
    return [Candidate.from_json(each) for each in answer["results"]]


def set_vehicle(
    driver: User, classes: Iterable[str], seats: int, *, idempotency_key: str | None = None
) -> Vehicle:
    """Says what the driver drives: the classes that his vehicle serves, and its seats for passengers."""
    path, body = f"/api/drivers/{_key_of(driver)}/vehicle/", {"classes": list(classes), "seats": seats}
    return Vehicle.from_json(_as_backend(path, body, idempotency_key, method="PUT"))


def register_device(
    user: User,
    platform: Literal["fcm", "apns"],
    token: str,
    name: str | None = None,
    *,
    idempotency_key: str | None = None,
) -> Device:
    """Says by which token of FCM or APNs the user's phone can be woken; doing it again changes nothing but the name."""
    body = {"user_id": _key_of(user), "platform": platform, "token": token, "name": name}
    return Device.from_json(_as_backend("/api/devices/", body, idempotency_key, method="PUT"))


def cancel_order(
    order: Order | Model | int, *, by: AbstractBaseUser, idempotency_key: str | None = None
) -> Order:
    """Cancels the order in the name of `by`: its rider, or staff. The order's history names him."""
    return Order.from_json(_as_user(by, f"/api/orders/{_id_of(order)}/cancel/", {}, idempotency_key))


def create_conversation(participants: Iterable[User], *, idempotency_key: str | None = None) -> Conversation:
    """Brings these users together in a conversation."""
    body = {"participant_ids": [_key_of(user) for user in participants]}
    return Conversation.from_json(_as_backend("/api/conversations/", body, idempotency_key))


def support_conversation(user: AbstractBaseUser, *, idempotency_key: str | None = None) -> Conversation:
    """The user's open conversation with support, made where there is none."""
    return Conversation.from_json(_as_user(user, "/api/conversations/", {"kind": "support"}, idempotency_key))


def send_message(
    conversation: Conversation | Model | int,
    text: str,
    *,
    sender: AbstractBaseUser,
    client_id: str | None = None,
    idempotency_key: str | None = None,
) -> ChatMessage:
    """Writes into a conversation as `sender`, who must take part in it or be staff.

    The same `client_id` of the same sender is stored once, for ever.
    """
    body = {"message": text} if client_id is None else {"message": text, "client_id": client_id}
    path = f"/api/conversations/{_id_of(conversation)}/messages/"
    return ChatMessage.from_json(_as_user(sender, path, body, idempotency_key))


anotify = sync_to_async(notify)
acreate_order = sync_to_async(create_order)
aassign = sync_to_async(assign)
aunassign = sync_to_async(unassign)
acandidates = sync_to_async(candidates)
aset_vehicle = sync_to_async(set_vehicle)
aregister_device = sync_to_async(register_device)
acancel_order = sync_to_async(cancel_order)
acreate_conversation = sync_to_async(create_conversation)
asupport_conversation = sync_to_async(support_conversation)
asend_message = sync_to_async(send_message)


def _as_backend(path: str, body: Mapping[str, Any], key: str | None, *, method: str = "POST") -> Any:
    return _request(method, path, body, _backend(), key or _new_key())


def _as_user(user: AbstractBaseUser, path: str, body: Mapping[str, Any], key: str | None) -> Any:
    return _request("POST", path, body, f"Bearer {access_token(user)}", key or _new_key())


def _backend() -> str:
    return f"Api-Key {config.api_key}"


def _request(method: str, path: str, body: Mapping[str, Any] | None, authorization: str, key: str | None) -> Any:
    answer = transport.request(method, path, body, authorization=authorization, idempotency_key=key)
    if not answer.is_success:
        raise answer.error()
    return answer.json()


def _new_key() -> str:
    return str(uuid.uuid4())


def _discard(effect: Callable[[], object]) -> None:
    effect()


def _key_of(user: Model | int | uuid.UUID) -> int | str:
    """A user's key as JSON has it."""
    key = user.pk if isinstance(user, Model) else user
    if isinstance(key, int) and not isinstance(key, bool):
        return key
    if isinstance(key, uuid.UUID):
        return str(key)
    raise TypeError(f"no user and no key of one: {user!r}")


def _id_of(thing: Order | Conversation | Model | int) -> int:
    key = thing.pk if isinstance(thing, Model) else thing if isinstance(thing, int) else thing.id
    if not isinstance(key, int):
        raise TypeError(f"the server's keys are integers: {key!r}")
    return key


def _moment(moment: datetime) -> str:
    """With its offset; a moment without one is in Django's current time zone, as in a form."""
    return (timezone.make_aware(moment) if timezone.is_naive(moment) else moment).isoformat()


def _degrees(value: Coordinate) -> str:
    """Without an exponent; what is no number is for the server to refuse."""
    return value if isinstance(value, str) else f"{Decimal(str(value)):f}"


def _recipients(to: Recipients) -> list[dict[str, Any]]:
    from django.contrib.auth.models import Group

    if isinstance(to, Group):
        return [{"group": to.name}]
    if isinstance(to, str):
        return [{"group": to}]
    if isinstance(to, Model | int | uuid.UUID):
        return [{"user_id": _key_of(to)}]
    return [{"user_ids": part} for part in _parts(_key_of(user) for user in to)]


def _parts(keys: Iterator[int | str]) -> Iterator[list[int | str]]:
    """As many as one request may notify; nobody makes no request."""
    while part := list(islice(keys, RECIPIENTS_MAX)):
        yield part


def _related(related: Any) -> tuple[str | None, int | None]:
    if related is None:
        return None, None
    if isinstance(related, Model):
        kind, key = related._meta.model_name or "", related.pk
    else:
        kind, key = related
    if not isinstance(key, int):
        raise TypeError(f"related_object: the server takes integer keys only, put {key!r} into data")
    return kind, key


__all__ = [
    "aassign", "acancel_order", "acandidates", "acreate_conversation", "acreate_order", "anotify", "aregister_device",
    "asend_message", "aset_vehicle", "assign", "asupport_conversation", "aunassign", "cancel_order", "candidates",
    "create_conversation", "create_order", "notify", "register_device", "send_message", "set_vehicle",
    "support_conversation", "unassign",
]
