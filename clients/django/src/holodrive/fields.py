"""How the server's tables store what Django has other types for."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import get_current_timezone, is_naive, make_naive

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)
MILLION = 1_000_000

Set_ = TypeVar("Set_", contravariant=True)
Get_ = TypeVar("Get_", covariant=True)

if TYPE_CHECKING:
    Field = models.Field
    Json = models.TextField[Any, Any]
    Lookup = models.Lookup[Any]
else:
    # Whether a value may be None is the parameter of a field for type checkers alone.
    class Field(models.Field, Generic[Set_, Get_]):
        """A field that may be written with its types."""

    Json = models.TextField
    Lookup = models.Lookup


class MomentField(Field[Set_, Get_]):
    """Microseconds since the epoch, seen as a datetime. Orders and compares as a number in the database."""

    if TYPE_CHECKING:
        _pyi_private_set_type: datetime | str
        _pyi_private_get_type: datetime

    description = "Moment"

    def get_internal_type(self) -> str:
        return "BigIntegerField"

    def from_db_value(self, value: int | None, expression: Any, connection: Any) -> datetime | None:
        return None if value is None else _seen(EPOCH + value * MICROSECOND)

    def to_python(self, value: Any) -> datetime | None:
        """Also takes what stands in the address of an admin filter: a date, or either as text."""
        if isinstance(value, str):
            value = parse_datetime(value) or parse_date(value) or _refuse("a moment", value)
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, time.min)
        if value is None or isinstance(value, datetime):
            return value
        _refuse("a moment", value)

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        if isinstance(value, int):
            return value
        moment = self.to_python(value)
        return None if moment is None else _microseconds(moment)


class Within(Lookup):
    """Between two days, in the current time zone: a range, which an index can find."""

    def get_prep_lookup(self) -> list[int]:
        return [_microseconds(datetime.combine(day, time.min)) for day in self.bounds(self.rhs)]

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        lhs, parameters = self.process_lhs(compiler, connection)
        first, after = self.rhs
        return f"({lhs} >= %s AND {lhs} < %s)", (*parameters, first, *parameters, after)

    def bounds(self, value: Any) -> tuple[date, date]:
        """The first day, and the one after the last."""
        raise NotImplementedError


@MomentField.register_lookup
class OnDate(Within):
    """`created_at__date=date(2026, 11, 22)`."""

    lookup_name = "date"

    def bounds(self, value: Any) -> tuple[date, date]:
        day = value if isinstance(value, date) else parse_date(str(value)) or _refuse("a date", value)
        return day, day + timedelta(days=1)


@MomentField.register_lookup
class InYear(Within):
    """`created_at__year=2026`."""

    lookup_name = "year"

    def bounds(self, value: Any) -> tuple[date, date]:
        try:
            return date(int(value), 1, 1), date(int(value) + 1, 1, 1)
        except (TypeError, ValueError):
            _refuse("a year", value)


class CoordinateField(Field[Set_, Get_]):
    """Millionths of a degree, seen as a Decimal with six places."""

    if TYPE_CHECKING:
        _pyi_private_set_type: Decimal | float | str
        _pyi_private_get_type: Decimal

    description = "Coordinate"

    def get_internal_type(self) -> str:
        return "BigIntegerField"

    def from_db_value(self, value: int | None, expression: Any, connection: Any) -> Decimal | None:
        return None if value is None else Decimal(value).scaleb(-6)

    def to_python(self, value: Any) -> Decimal | None:
        if value is None:
            return None
        try:
            return Decimal(str(value))
        except ArithmeticError:
            _refuse("a coordinate", value)

    def get_prep_value(self, value: Any) -> Any:
        degrees = self.to_python(super().get_prep_value(value))
        return None if degrees is None else int((degrees * MILLION).to_integral_value())


class JsonTextField(Json):
    """JSON in a column of text, seen as what it says."""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return None if value is None else json.loads(value)

    def get_prep_value(self, value: Any) -> Any:
        return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _microseconds(moment: datetime) -> int:
    aware = moment.replace(tzinfo=get_current_timezone()) if is_naive(moment) else moment
    return (aware - EPOCH) // MICROSECOND


def _seen(moment: datetime) -> datetime:
    return moment if settings.USE_TZ else make_naive(moment)


def _refuse(wanted: str, value: Any) -> NoReturn:
    raise ValidationError("%(value)r is not %(wanted)s.", "invalid", {"value": value, "wanted": wanted})
