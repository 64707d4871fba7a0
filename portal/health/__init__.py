"""What probes ask: does the process live, can it do its work, and how much of it waits."""

from portal.health.views import healthz, metrics, readyz

__all__ = ["healthz", "metrics", "readyz"]
