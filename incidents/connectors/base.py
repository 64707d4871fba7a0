"""What every connector takes and gives back: plain frozen values, no Django and no database.

A connector is a module with two functions, `check` and `run`. Everything it may do comes in through `Limits`, which
the operator sets; everything it shall do comes in through `Job`, which people approved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal, Protocol, TypeAlias
from uuid import UUID

from incidents.connectors import addresses

State: TypeAlias = Literal["succeeded", "failed", "unknown", "not_sent"]
Alive: TypeAlias = Callable[[], bool]
Config: TypeAlias = Mapping[str, Any]
Detail: TypeAlias = dict[str, str | int]

NOTHING_SHA256 = sha256(b"").hexdigest()


class NotRunnable(RuntimeError):
    """This kind of connector is never run by a worker; asking it to is a bug of the caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One attempt (or gate run), told to the outside system.

    `epoch` and `fence` come from the start of the attempt; a receiver that keeps the highest `fence` per target can
    refuse a stalled worker. `secret` is the resolved value and never appears in `repr`.
    """

    attempt_id: UUID
    idempotency_key: str
    epoch: int
    fence: int
    incident: str
    action_key: str
    action_title: str
    product: str
    target: str
    arguments: Mapping[str, str]
    config: Config
    secret: str | None = field(repr=False)
    deadline_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a job ended, as far as it can be known.

    `failed`: it was refused, or ran and said no. `not_sent`: nothing can have started, so the same attempt may be
    queued again (or the connector is declared idempotent and was asked to come back, see `retry_after_seconds` in
    `detail`). `unknown`: something left and no trustworthy end came back; only people decide what follows.
    `output` is masked, cleaned text of at most the cap plus one line that says how much was cut; `output_bytes`,
    `output_dropped` and `output_sha256` are of the whole masked stream.
    """

    state: State
    sentence: str
    detail: Detail = field(default_factory=dict)
    output: str = ""
    output_bytes: int = 0
    output_dropped: int = 0
    output_sha256: str = NOTHING_SHA256
    remote_ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the operator allows, read once from the settings by the caller.

    `allowed_hosts` (LASTGOOD_OUTBOUND_HOSTS) are `host`, `host:port`, `*.domain` or `[v6]:port`; no port means 443.
    The next two lists only relax a host that is also in `allowed_hosts`: `allow_private_hosts` may resolve to
    loopback and private networks (a CI server in the house), `allow_plain_http_hosts` may be spoken to without TLS,
    and then only on loopback (demo and tests). Link-local and cloud metadata addresses are refused whatever is set.
    `commands` is LASTGOOD_COMMANDS, see `allowlist`. `ca_file` adds a private authority to the system's.
    `max_body` bounds what is read of an answer, `output_cap` what is kept of any output, both in bytes.
    """

    allowed_hosts: Sequence[str] = ()
    allow_private_hosts: Sequence[str] = ()
    allow_plain_http_hosts: Sequence[str] = ()
    commands: Mapping[str, Any] = field(default_factory=dict)
    ca_file: str | None = None
    max_body: int = 1_048_576
    output_cap: int = 262_144
    alive_every_seconds: float = 1.0
    resolve: addresses.Resolver = addresses.resolve


class Connector(Protocol):
    """The two functions that each connector module has."""

    def check(self, config: Config, limits: Limits) -> list[str]:
        """Return sentences that say why this configuration cannot work; empty when it can."""

    def run(self, job: Job, limits: Limits, alive: Alive) -> Outcome:
        """Do the job once. `alive()` is asked about every `alive_every_seconds`; False stops and kills."""


def unknown_settings(config: Config, known: set[str]) -> list[str]:
    """Return one sentence for each key of `config` that the connector does not have."""
    return [
        f"There is no setting {key!r} here; it takes {', '.join(sorted(known))}." for key in config if key not in known
    ]
