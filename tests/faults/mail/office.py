"""An installation whose mail goes to a hostile server, and what a reader of its ledger finds."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

from portal.bootstrap.places import ROOT
from portal.demo.processes import wait_until
from tests.comms.hostile import HostileServer, listening
from tests.faults.installation import Installation, installed, seed

# Short, so that what a kill leaves behind is taken up within the test.
SETTINGS = {
    "LASTGOOD_EMAIL_TIMEOUT": "1",
    "LASTGOOD_MAIL_LEASE_SECONDS": "3",
    "LASTGOOD_MAIL_RETRY_SECONDS": "1",
}
OPEN = {"queued", "sending"}
OWNER = "communications_owner"


class Whims:
    """What befalls each mail by chance: the same for the same seed, whichever sender comes first."""

    def __init__(self, number: int, parts: dict[str, float]) -> None:
        """`parts`: how often each word of the script falls, as parts of one."""
        self.number, self.parts = number, parts
        self._tries: Counter[str] = Counter()

    def __call__(self, address: str = "greeting") -> str:
        self._tries[address] += 1
        left = random.Random(f"{self.number} {address} {self._tries[address]}").random()
        for word, part in self.parts.items():
            left -= part
            if left < 0:
                return word
        return ""


@dataclass
class Office:
    """A portal and the mail server that it sends to."""

    portal: Installation
    server: HostileServer
    addresses: set[str] = field(default_factory=set)
    logs: dict[Path, int] = field(default_factory=dict)

    def incident(self, *, readers: int) -> str:
        """A new incident of a product with this many stakeholders; the ledger begins anew."""
        [made] = self.portal.hand.do("incidents", number=1, actions=1, connectors=[], at="declared")
        self.stage("readers", made["product"], str(readers))
        self.addresses = {f"reader{number}@{made['product']}.test" for number in range(readers)}
        self.logs = self.portal.logs()
        self.server.kept.clear()
        self.server.answers_after_seconds = 0
        self.behave()
        return str(made["reference"])

    def behave(self) -> None:
        """From now on every mail is taken."""
        self.server.judge, self.server.greet = lambda address: "", lambda: ""

    def stage(self, *words: str) -> None:
        command = [sys.executable, "-m", "tests.faults.mail.stage", *words]
        subprocess.run(command, env=self.portal.env, cwd=ROOT, check=True, timeout=60)

    def issue(self, reference: str, kind: str, words: str = "") -> dict[str, Any]:
        """Issue an update as drafted, with a line of its own."""
        path = f"incidents/{reference}/notices/{kind}"
        draft = self.portal.ask("GET", f"{path}/draft", OWNER).value
        answer = self.portal.ask("POST", f"{path}/issue", OWNER, {"body": f"{draft['body']}\n{words}"})
        assert answer.status == 201, answer
        found: dict[str, Any] = answer.value
        return found

    def copies(self, reference: str) -> list[tuple[str, int, str, str]]:
        """Address, number of the update, state and the server's answer of each copy."""
        fields = ["email", "notice__sequence", "state", "answer"]
        found = self.portal.hand.all_rows("comms.Delivery", *fields, notice__incident__reference=reference)
        return [(email, number, state, answer) for email, number, state, answer in found]

    def settled(self, reference: str, *, seconds: float) -> None:
        """Wait until no copy is under way (I3)."""

        def is_over() -> bool:
            return not any(state in OPEN for _, _, state, _ in self.copies(reference))

        over = wait_until(is_over, seconds=seconds, every=0.2)
        assert over, f"{Counter(row[2:] for row in self.copies(reference))}\n{self.portal.tails()}"

    def told(self) -> dict[tuple[str, int], set[str]]:
        """Message-IDs by address and number of the update; fails where a mail names any other reader (I4, L5)."""
        found: dict[tuple[str, int], set[str]] = defaultdict(set)
        for kept in list(self.server.kept):
            message = message_from_bytes(kept.text, policy=default)
            assert [address.addr_spec for address in message["To"].addresses] == [kept.to]
            assert set(re.findall(rb"reader\d+@[a-z0-9.-]+", kept.text)) <= {kept.to.encode()}
            found[kept.to, int(message["X-Sequence"])].add(str(message["Message-ID"]))
        return found


@contextmanager
def open_office(engine: str) -> Iterator[Office]:
    """A running portal and its mail server, gone at the end."""
    with ExitStack() as stack:
        server = stack.enter_context(listening(HostileServer()))
        settings = SETTINGS | {"EMAIL_URL": f"smtp://127.0.0.1:{server.port}"}
        yield Office(stack.enter_context(installed(engine, **settings)), server)


def whims(**parts: float) -> Whims:
    """`before_dot=0.02` cuts two of a hundred mails before their end."""
    return Whims(seed(), {word.lstrip("_").replace("_", " "): part for word, part in parts.items()})
