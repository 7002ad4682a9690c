"""What the server answers, as Python values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

UserId = int | UUID


def user_id(value: Any) -> UserId:
    """A user's key: a number, or a UUID where the user model has one."""
    return value if isinstance(value, int) else UUID(value)


def moment(value: str) -> datetime:
    # Python 3.10 does not know the Z.
    return datetime.fromisoformat(value.removesuffix("Z") + "+00:00" if value.endswith("Z") else value)


@dataclass(frozen=True)
class Order:
    """An order as the server answered it."""

    id: int
    order_code: str
    status: str
    order_type: str
    rider_id: UserId
    driver_id: UserId | None
    conversation_id: int | None
    address_from: str
    address_to: str
    latitude_from: Decimal
    longitude_from: Decimal
    latitude_to: Decimal
    longitude_to: Decimal
    distance_to_pickup_km: float | None
    eta_seconds: int | None
    created_at: datetime
    expires_at: datetime | None
    remaining_ms: int | None
    pickup_at: datetime | None
    vehicle_class: str | None
    seats: int | None
    pin: str | None

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Order:
        return cls(
            id=body["id"],
            order_code=body["order_code"],
            status=body["status"],
            order_type=body["order_type"],
            rider_id=user_id(body["rider_id"]),
            driver_id=None if body["driver_id"] is None else user_id(body["driver_id"]),
            conversation_id=body["conversation_id"],
            address_from=body["address_from"],
            address_to=body["address_to"],
            latitude_from=Decimal(body["latitude_from"]),
            longitude_from=Decimal(body["longitude_from"]),
            latitude_to=Decimal(body["latitude_to"]),
            longitude_to=Decimal(body["longitude_to"]),
            distance_to_pickup_km=body["distance_to_pickup_km"],
            eta_seconds=body.get("eta_seconds"),
            created_at=moment(body["created_at"]),
            expires_at=None if body["expires_at"] is None else moment(body["expires_at"]),
            remaining_ms=body.get("remaining_ms"),
            pickup_at=moment(body["pickup_at"]) if body.get("pickup_at") else None,
            vehicle_class=body.get("vehicle_class"),
            seats=body.get("seats"),
            pin=body.get("pin"),
        )


@dataclass(frozen=True)
class Candidate:
    """A driver who comes into question for an order."""

    driver_id: UserId
    distance_km: float | None
    skipped: str | None
    """What keeps him from being asked, such as `on_trip` or `wrong_class`; None: he can be."""

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Candidate:
        return cls(user_id(body["driver_id"]), body["distance_km"], body["skipped"])


@dataclass(frozen=True)
class Vehicle:
    """What a driver drives."""

    driver_id: UserId
    classes: tuple[str, ...]
    seats: int

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Vehicle:
        return cls(user_id(body["driver_id"]), tuple(body["classes"]), body["seats"])


@dataclass(frozen=True)
class Device:
    """A phone that can be woken by a push."""

    id: int
    user_id: UserId
    platform: str
    name: str | None
    registered_at: datetime

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Device:
        return cls(
            id=body["id"],
            user_id=user_id(body["user_id"]),
            platform=body["platform"],
            name=body["name"],
            registered_at=moment(body["registered_at"]),
        )


@dataclass(frozen=True)
class ChatMessage:
    """A stored chat message."""

    message_id: int
    conversation_id: int
    sender_id: UserId
    sender_name: str
    is_from_support: bool
    message: str
    client_id: str | None
    created_at: datetime

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> ChatMessage:
        return cls(
            message_id=body["message_id"],
            conversation_id=body["conversation_id"],
            sender_id=user_id(body["sender_id"]),
            sender_name=body["sender_name"],
            is_from_support=body["is_from_support"],
            message=body["message"],
            client_id=body.get("client_id"),
            created_at=moment(body["created_at"]),
        )


@dataclass(frozen=True)
class Conversation:
    """A conversation and who takes part in it; staff may read and write everywhere without being listed."""

    id: int
    kind: str
    order_id: int | None
    participant_ids: tuple[UserId, ...]
    created_at: datetime
    last_message: ChatMessage | None

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Conversation:
        last = body["last_message"]
        return cls(
            id=body["id"],
            kind=body["kind"],
            order_id=body["order_id"],
            participant_ids=tuple(user_id(each) for each in body["participant_ids"]),
            created_at=moment(body["created_at"]),
            last_message=None if last is None else ChatMessage.from_json(last),
        )
