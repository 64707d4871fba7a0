from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "portal.accounts"
    label = "accounts"

    def ready(self) -> None:
        from incidents.evidence import completeness
        from portal.accounts import receivers, session_age  # noqa: F401
        from portal.accounts.models import Try

        completeness.exempt(Try, "Wrong tries of the last quarter of an hour: no act, and gone after it.")
