"""The names of the user model's columns and tables."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group


def groups_of(model: Any) -> Any:
    """The field that says in which of Django's groups a user is; None where there is none."""
    fields = model._meta.many_to_many
    return next((field for field in fields if field.name == "groups" and field.related_model is Group), None)


def column(field: str) -> str:
    """The column of a field of the user model. `id` stands for the primary key, whatever its name is."""
    meta = get_user_model()._meta
    names = {each.name: each.column for each in meta.concrete_fields}
    return str(names.get(field, meta.pk.column if field == "pk" else field))
