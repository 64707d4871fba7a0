"""Sets rows that only mail scenarios need: `python -m tests.faults.mail.stage readers SLUG 150`."""

from __future__ import annotations

import sys
from datetime import timedelta

import django


def readers(slug: str, number: str) -> None:
    """Give a product this many stakeholders, and nobody else."""
    from comms.models import Recipient
    from incidents.models import Product

    product = Product.objects.get(slug=slug)
    Recipient.objects.filter(product=product).delete()
    Recipient.objects.bulk_create(
        Recipient(product=product, name=f"Reader {reader}", email=f"reader{reader}@{slug}.test")
        for reader in range(int(number))
    )


def silent(reference: str, hours: str) -> None:
    """Nobody was told anything since the incident was declared, this long ago."""
    from incidents.models import Incident

    incident = Incident.objects.get(reference=reference)
    incident.declared_at -= timedelta(hours=float(hours))
    incident.save(update_fields=["declared_at"])


if __name__ == "__main__":
    django.setup()
    {"readers": readers, "silent": silent}[sys.argv[1]](*sys.argv[2:])
