"""People: only what Django itself cannot do without, under other names."""

import uuid

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models


class PersonManager(BaseUserManager):
    """Makes people by their address."""

    def create_user(self, address, password=None, **fields):
        person = self.model(address=address, **fields)
        person.set_password(password)
        person.save(using=self._db)
        return person


class Person(AbstractBaseUser, PermissionsMixin):
    """A user who has no name, and whose key is not called `id`; nothing is ever inactive, and superusers are staff."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    address = models.EmailField("e-mail", unique=True)

    objects = PersonManager()
    USERNAME_FIELD = "address"

    @property
    def is_staff(self):
        return self.is_superuser
