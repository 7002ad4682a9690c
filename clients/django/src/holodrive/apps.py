"""The Django application."""

from django.apps import AppConfig


class HoloDriveConfig(AppConfig):
    """`holodrive` in `INSTALLED_APPS`."""

    name = "holodrive"
    verbose_name = "HoloDrive"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401
