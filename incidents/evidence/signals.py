"""The one signal: an entry was recorded and its transaction committed. Facts never know who reads them."""

from django.dispatch import Signal

entry_recorded = Signal()  # kwargs: incident_id, kind, body, entry_id, seq
