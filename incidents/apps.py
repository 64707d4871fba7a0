from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    name = "incidents"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate, pre_migrate

        from incidents import checks, receivers  # noqa: F401
        from incidents.evidence.triggers import after_migrate, before_migrate
        from incidents.runbook.versions import ensure_first_version

        pre_migrate.connect(before_migrate, sender=self, dispatch_uid="evidence-triggers-before")
        post_migrate.connect(after_migrate, sender=self, dispatch_uid="evidence-triggers")
        post_migrate.connect(ensure_first_version, sender=self, dispatch_uid="runbook-first-version")
