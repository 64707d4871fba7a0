from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        from portal import checks, receivers  # noqa: F401
        from portal.celery import app  # noqa: F401
