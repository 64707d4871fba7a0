"""What every connector takes and gives back: plain frozen values, no Django and no database.

A connector is a module with two functions, `check` and `run`. Everything it may do comes in through `Limits`, which
the operator sets; everything it shall do comes in through `Job`, which people approved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable
from uuid import UUID

from incidents.connectors import addresses
from incidents.connectors.output import Output

State: TypeAlias = Literal["succeeded", "failed", "unknown", "not_sent", "running"]
Alive: TypeAlias = Callable[[], bool]
Config: TypeAlias = Mapping[str, Any]
Detail: TypeAlias = dict[str, str | int]
Remote: TypeAlias = dict[str, Any]

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
    callback_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a job ended, as far as it can be known.

    `failed`: it was refused, or ran and said no. `not_sent`: nothing can have started, so the same attempt may be
    queued again (or the connector is declared idempotent and was asked to come back, see `retry_after_seconds` in
    `detail`). `unknown`: something left and no trustworthy end came back; only people decide what follows.
    `running`: the outside system has it and goes on alone; `remote` is all that `poll` needs to ask how it goes, never
    a secret, and `remote_ref` is what people find it by: a link, or a number.
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
    remote: Remote = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a self-test found: that something works, that it does not, or (None) that it cannot be told beforehand."""

    is_good: bool | None
    sentence: str


def _show_nobody(output: Output) -> None:
    """Nobody looks while it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the operator allows, read once from the settings by the caller.

    `allowed_hosts` (LASTGOOD_OUTBOUND_HOSTS) are `host`, `host:port`, `*.domain` or `[v6]:port`; no port means 443.
    The next two lists only relax a host that is also in `allowed_hosts`: `allow_private_hosts` may resolve to
    loopback and private networks (a CI server in the house), `allow_plain_http_hosts` may be spoken to without TLS,
    and then only on loopback (demo and tests). Link-local and cloud metadata addresses are refused whatever is set.
    `commands` is LASTGOOD_COMMANDS, see `allowlist`. `ca_file` adds a private authority to the system's.
    `show` is told what a job has printed so far, masked, at most once a second while it runs.
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
    show: Callable[[Output], None] = _show_nobody


class Connector(Protocol):
    """The two functions that each connector module has."""

    def check(self, config: Config, limits: Limits) -> list[str]:
        """Return sentences that say why this configuration cannot work; empty when it can."""

    def run(self, job: Job, limits: Limits, alive: Alive) -> Outcome:
        """Do the job once. `alive()` is asked about every `alive_every_seconds`; False stops and kills."""


@runtime_checkable
class Followed(Connector, Protocol):
    """A connector whose system runs on by itself after it has taken the job."""

    def poll(self, job: Job, limits: Limits, remote: Remote) -> Outcome:
        """Look how it goes, by questions that change nothing. A look that failed is `running` with a `reason`."""

    def thread(self, job: Job) -> Remote:
        """Return what finds the run if the answer to the start is lost; empty where nothing would."""


@runtime_checkable
class SelfTested(Connector, Protocol):
    """A connector that can say beforehand whether it would work."""

    def self_test(self, config: Config, limits: Limits, secret: str | None) -> list[Finding]:
        """Ask the system what is there and what is allowed. Starts nothing and changes nothing."""


@runtime_checkable
class Rehearsed(Connector, Protocol):
    """A connector whose system can say what it would do, and do nothing.

    A function `rehearses(config, limits)` beside it, if there is one, tells whether that holds for a configuration.
    """

    def rehearse(self, job: Job, limits: Limits, alive: Alive) -> Outcome:
        """Ask what the job would do. Changes nothing; what it would do stands in `output`."""


def unknown_settings(config: Config, known: set[str]) -> list[str]:
    """Return one sentence for each key of `config` that the connector does not have."""
    return [
        f"There is no setting {key!r} here; it takes {', '.join(sorted(known))}." for key in config if key not in known
    ]
