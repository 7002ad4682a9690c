"""Passwords that are quickly hashed, for tests that are not about them."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class QuickHasher(PBKDF2PasswordHasher):
    """Django's own, with a fraction of its work."""

    iterations = 1000
