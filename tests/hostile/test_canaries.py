"""Known secrets in every place that has one, a whole incident in which much goes wrong, and a search of what is left.

Each process is real. Outside systems, commands and the mail server print, echo and quote what they were told.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import signal
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from standardwebhooks.webhooks import Webhook

from portal.demo import story
from portal.demo.person import Person
from portal.demo.processes import wait_until
from tests.faults.installation import installed
from tests.hostile.canaries import Hit, canary, search
from tests.hostile.guarded import Guarded, Visitor
from tests.matrix.operations import OPERATIONS

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

# Where a secret has to stand; everywhere else it is a leak.
MEANT = {
    ("session key", "row django_session.session_key"): "The row that the cookie names.",
    ("session key", "row usersessions_usersession.session_key"): "Which session a person can end.",
    ("token in a URL", "row incidents_connector.config"): "An address that was typed before such were refused.",
    ("recovery codes", "commander /account/two-step/recovery-codes/*"): "Its owner's own page, after a fresh proof.",
}
# How each connector's action ends, and what must have been masked in what is kept of it.
ENDS = {
    "accepts": "succeeded",
    "rejects": "failed",
    "breaks": "unknown",
    "refuses": "queued",
    "calls back": "succeeded",
    "github": "failed",
    "prints": "succeeded",
    "fails": "failed",
}
QUOTED = set(ENDS) - {"refuses"}
TRACK = "/rollback/actions"


# The search itself ----------------------------------------------------------------------------------------------------


def packed(text: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.gz", gzip.compress(text))
    return content.getvalue()


@pytest.mark.parametrize("before", ["", "u:", "me:", "ops:"])
def test_the_search_finds_every_spelling_wherever_it_stands(before: str) -> None:
    secret = canary("planted")
    written = {
        "raw": secret,
        "hex": secret.encode().hex(),
        "URL-encoded": quote(secret, safe=""),
        "base64": base64.b64encode(f"{before}{secret} and more".encode()).decode(),
    }

    for spelling, text in written.items():
        for content in (f"a note: {text}".encode(), packed(f"a note: {text}".encode())):
            assert {hit.spelling for hit in search({"planted": secret}, [("note", content)])} == {spelling}
            assert search({"another": canary("planted")}, [("note", content)]) == []


def test_digits_are_found_as_a_word_and_not_within_a_number() -> None:
    known = {"code": "12345678"}

    assert len(search(known, [("page", b"<code>12345678</code>")])) == 1
    assert search(known, [("page", b"at 1712345678.5 or 0a12345678bc")]) == []


# The journey ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["postgresql"])
def portal(request: pytest.FixtureRequest) -> Iterator[Guarded]:
    with installed(request.param, kind=Guarded) as running, ExitStack() as stack:
        running.watch_processes(stack)
        yield running


def test_no_secret_stands_in_anything_that_a_whole_incident_leaves(portal: Guarded) -> None:
    journey = Journey(portal)

    journey.come_in()
    journey.fail_to_come_in()
    journey.begin()
    journey.act()
    journey.go_on_without()
    journey.look_at_failures()
    journey.settle()
    journey.verify()
    journey.end()
    journey.look_around()

    key = (portal.places.data / "keys" / "signing.pem").read_bytes()
    portal.known["checkpoint key"] = b"".join(key.splitlines()[1:-1])
    portal.known["checkpoint key, its bytes"] = base64.b64decode(portal.known["checkpoint key"])[-32:]
    artefacts = [*portal.artefacts(), *journey.answers()]
    secrets = {name: secret for name, secret in portal.known.items() if name != "planted"}
    leaks = [hit for hit in search(secrets, artefacts) if not is_meant(hit)]
    planted = {hit.where for hit in search({"planted": portal.known["planted"]}, artefacts)}

    size = sum(len(content) for _, content in artefacts)
    sys.stderr.write(f"{portal.engine} canaries: {len(secrets)} in {len(artefacts)} artefacts, {size} bytes\n")
    assert not leaks, "\n".join(map(str, leaks[:40]))
    assert len(secrets) >= 20
    assert portal.mailer.let_in, "the mail password was never used"
    kinds = (
        "row incidents_evidenceentry.",
        "commander ",
        "auditor ",
        "evidence.jsonl",
        "bundle.zip › ",
        "report.pdf › text",
    )
    assert [kind for kind in kinds if not any(kind in where for where in planted)] == [], sorted(planted)


def is_meant(hit: Hit) -> bool:
    return any(hit.secret.startswith(secret) and fnmatchcase(hit.where, where) for secret, where in MEANT)


class Journey:
    """What people, outside systems and bad luck do to one installation."""

    def __init__(self, portal: Guarded) -> None:
        self.portal, self.hand = portal, portal.hand
        self.password = str(portal.known["password"])
        self.visitors = {name: Visitor(portal, name) for name in ("commander", "auditor", "administrator", "stranger")}
        self.kept: dict[str, bytes] = {}
        self.keys: dict[str, str] = {}
        portal.known |= {f"API token of {role}": token for role, token in portal.tokens.items()}
        portal.known["planted"] = canary("planted")

    # People come in, or do not --------------------------------------------------------------------------------------

    def come_in(self) -> None:
        """Three people sign in, the commander with a second factor that they set up here."""
        who = {
            "commander": self.hand.do("person", "commander", password=self.password),
            "auditor": self.hand.do("person", password=self.password, audits=True),
            "administrator": self.hand.do("person", password=self.password, is_staff=True, is_superuser=True),
        }
        self.email = who["commander"]
        for name, email in who.items():
            assert "sign-in" not in self.visitors[name].sign_in(email, self.password).url
        commander = self.visitors["commander"]
        page = commander.get("/account/two-step/app/").text
        [secret] = re.findall(r'<code class="mono">([A-Z2-7]{32})</code>', page)
        code = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
        shown = commander.post("/account/two-step/app/", page, code=code).text
        codes = re.findall(r'<code class="mono">(\d{8})</code>', shown)
        assert len(codes) == 10
        self.portal.known["TOTP secret"] = secret
        self.portal.known |= {f"recovery codes, {number}": code for number, code in enumerate(codes)}
        again = self.visitors["commander"] = Visitor(self.portal, "commander")
        assert "second-factor" in again.sign_in(self.email, self.password).url
        assert "second-factor" not in again.post("/sign-in/second-factor/", code=codes[0]).url
        for name, visitor in self.visitors.items():
            visitor.get("/sign-in/")
            self.portal.known[f"CSRF secret of {name}"] = visitor.browser.cookies["csrftoken"]
            if name != "stranger":
                self.portal.known[f"session key of {name}"] = visitor.browser.cookies["session"]

    def fail_to_come_in(self) -> None:
        """A wrong password, a wrong code, a provider that quotes our secret, a token in an address."""
        stranger = self.visitors["stranger"]
        wrong = str(self.portal.known["typed wrong"])
        self._keep("bad sign-in", stranger.sign_in(self.email, wrong))
        stranger.sign_in(self.email, self.password)
        self._keep("bad code", stranger.post("/sign-in/second-factor/", code="000000"))
        going = stranger.post("/sign-in/oidc/", next="/")
        state, *_ = re.findall(r"state=([\w-]+)", going.text)
        self._keep("provider", stranger.get(f"/sign-in/oidc/callback/?code=anything&state={state}"))
        assert any(heard.path == "/400/oidc/token" for heard in self.portal.told.heard)
        token = self.portal.tokens["commander"]
        self._keep("token in an address", stranger.get(f"/api/v1/incidents?token={token}"))
        self._keep("404", stranger.get(f"/nothing/here?session={self.portal.known['session key of commander']}"))
        self._keep("404, signed in", self.visitors["commander"].get("/incidents/RB-2020-0001/"))

    # The incident ---------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Declare, tell people, choose a target and make the plan, in which every kind of connector has an action."""
        [made] = self.hand.do("incidents", 1, len(ENDS), self._connectors(), at="", reader="reader{}@example.test")
        self.keys = dict(zip(ENDS, made["actions"], strict=True))
        health = {"url": f"{self.portal.told.at}/500/probe"}
        self.hand.do("wire", made["product"], "health", kind="probe", config=health, secret="env:CANARY_PROBE")
        people = {
            role: Person(self.portal.places.url, {"email": "", "role": role, "api_token": token})
            for role, token in self.portal.tokens.items()
        }
        emails = dict(self.hand.rows("RosterEntry", "role", "user__email", product__slug=made["product"], rank=1))
        for role, email in emails.items():
            people[role].email = email
        self.cast = story.Cast(people, product=made["product"])
        story.declare(self.cast)
        story.accept_roles(self.cast)
        self.cast.commander.post(f"{self.cast.path}/declare/note", text=f"Seen: {self.portal.known['planted']}")
        story.inform(self.cast, "A", timedelta(minutes=30))
        story.target(self.cast)
        story.plan(self.cast)

    def _connectors(self) -> list[dict[str, Any]]:
        told, token = self.portal.told.at, self.portal.known["token in a URL"]

        def webhook(path: str, secret: str = "webhook", at: str = told, **config: Any) -> dict[str, Any]:
            url = f"{at}/{path}/{secret}?token={quote(str(token), safe='')}"
            return {"config": {"url": url, **config}, "secret": f"env:CANARY_{secret.upper()}"}

        github = {"url": f"{told}/401/github", "repository": "acme/app", "workflow": "back.yml", "ref": "main"}
        found = {
            "accepts": webhook("200"),
            "rejects": webhook("400"),
            "breaks": webhook("500") | {"deadline_seconds": 2},
            "refuses": webhook("200", at="http://127.0.0.1:9"),
            "calls back": webhook("202", "callback", wait_for="callback"),
            "github": {"kind": "github", "config": github, "secret": "env:CANARY_GITHUB"},
            **{
                name: {"kind": "command", "config": {"command": name}, "secret": "env:CANARY_COMMAND"}
                for name in ("prints", "fails")
            },
        }
        return [found[name] for name in ENDS]

    def act(self) -> None:
        """Dispatch all of them, with a dry run before; one system calls back and says its secret as well."""
        owner = self.cast["api_lead"]
        owner.post(self._action("prints", "rehearse"))
        assert wait_until(lambda: all(self._column("Rehearsal", "output")), seconds=20)
        for name in ENDS:
            self.cast.commander.post(self._action(name, "approve"), digest=self._shown()[name]["spec_digest"])
            owner.post(self._action(name, "dispatch"))
        waiting = partial(self._ends, "calls back")
        assert wait_until(lambda: self._ends() == ENDS | {"calls back": waiting()}, seconds=30), self._ends()
        self._call_back()
        assert wait_until(lambda: self._ends() == ENDS, seconds=20), self._ends()
        outputs = dict(self.hand.rows("Attempt", "action__key", "output", action__key__in=list(self.keys.values())))
        unmasked = {name for name in QUOTED if "[masked]" not in outputs[self.keys[name]] + self._said(name)}
        assert unmasked == set(), {name: outputs[self.keys[name]] for name in unmasked}
        self.visitors["commander"].follow("/", f"{self.cast.path}/")

    def _call_back(self) -> None:
        """The system's own secret stands in each word of its message."""
        secret = str(self.portal.known["callback"])
        attempt = self._shown()["calls back"]["attempts"][0]["id"]
        [[epoch]] = self.hand.rows("Attempt", "epoch", id=attempt)
        said = {"attempt": attempt, "epoch": epoch, "state": "succeeded", "sentence": f"Done with {secret}"}
        body = json.dumps(said | {"output": f"export KEY={secret}", "ref": f"run?key={secret}"})
        now = datetime.fromtimestamp(int(time.time()), UTC)
        heads = {
            "webhook-id": "one",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign("one", now, body),
            "Content-Type": "application/json",
        }
        url = f"{self.portal.places.url}/api/v1/attempts/{attempt}/callback"
        browser = self.visitors["stranger"].browser
        forged = browser.post(url, data=body, headers=heads | {"webhook-signature": f"v1,{secret}"}, timeout=30)
        answer = browser.post(url, data=body, headers=heads, timeout=30)
        assert (forged.status_code, answer.status_code) == (401, 200), answer.text
        self._keep("callback refused", forged)
        self._keep("callback", answer)

    def go_on_without(self) -> None:
        """An error nobody foresaw, then no database, then no broker, while people and the worker ask for them."""
        stranger, commander = self.visitors["stranger"], self.visitors["commander"]
        home, door = f"{self.cast.path}/", Visitor(self.portal, "at the door")
        page = door.get("/sign-in/").text
        with self.portal.connect() as line:
            line.execute("ALTER TABLE accounts_user RENAME TO accounts_gone")
            broken = [
                door.post("/sign-in/", page, login=self.email, password=self.password),
                commander.get(home),
                self._asked("incidents"),
            ]
            line.execute("ALTER TABLE accounts_gone RENAME TO accounts_user")
        for answer in broken:
            assert answer.status_code == 500
            self._keep("500", answer)
        assert self.portal.database
        self.portal.database.stop(by=signal.SIGINT)
        for path in ("/readyz", f"/api/v1/freeze/{self.cast.product}/check?operation=merge", "/sign-in/", home):
            self._keep(f"no database {path}", commander.get(path))
        self.portal.start_database()
        self.portal.stop_broker()
        self._keep("no broker /readyz", stranger.get("/readyz"))
        self.cast.commander.fetch(f"{self.cast.path}/report.pdf", (200, 202, 503))
        self.portal.start_broker()
        assert wait_until(lambda: self.portal.ask("GET", "/readyz").status == 200, seconds=30, every=0.2)

    def _asked(self, path: str) -> Any:
        heads = {"Authorization": f"Bearer {self.portal.tokens['commander']}"}
        return self.visitors["stranger"].browser.get(
            f"{self.portal.places.url}/api/v1/{path}", headers=heads, timeout=30
        )

    def look_at_failures(self) -> None:
        """The auditor and the back office, while what failed has not been settled."""
        administrator = self.visitors["administrator"]
        [[connector]] = self.hand.rows("Connector", "id", kind="github")
        test = f"/admin/incidents/connector/{connector}"
        self._keep(
            "self-test",
            administrator.browser.post(
                f"{self.portal.places.url}{test}/self-test/",
                data={"csrfmiddlewaretoken": administrator.browser.cookies["csrftoken"]},
                timeout=30,
            ),
        )
        administrator.follow("/admin/")
        self.visitors["auditor"].follow("/", f"{self.cast.path}/")

    def settle(self) -> None:
        """What failed is done by hand, what is unknown is decided by two; everything else is done as planned."""
        lead = self.cast["api_lead"]
        back = partial(self.cast.commander.post, self._action("refuses", "abort"), expect=(200, 409))
        story.until("the next try to end", lambda: "blockers" not in back(reason="Nobody listens there"))
        told = {"succeeded": True, "reason": "Seen on the system", "expect": (202, 409)}
        decided = story.until(
            "the lost attempt", lambda: self._id_of(lead.post(self._action("breaks", "resolve"), **told))
        )
        story.confirm(self.cast, {"id": decided}, "commander")
        for action in sorted(self.cast.state()["actions"], key=lambda action: (action["stage"], action["key"])):
            if action["state"] == "succeeded":
                continue
            path, owner = f"{self.cast.path}{TRACK}/{action['key']}", self.cast[action["owner"]]
            if action["by_hand"]:
                self.cast.commander.post(f"{path}/approve", digest=action["spec_digest"])
                owner.post(f"{path}/dispatch")
            owner.upload(f"{path}/evidence/file", "seen.txt", b"Looked at it\n")
            owner.post(f"{path}/complete", succeeded=True, result="Done and looked at")

    def _id_of(self, answer: Any) -> Any:
        return answer.get("id")

    def verify(self) -> None:
        """A gate fails on a system that quotes the token it was asked with; the others pass."""
        story.inform(self.cast, "B", timedelta(minutes=30))
        story.clean_up(self.cast)
        self.cast.commander.post(f"{self.cast.path}/verify/begin")
        for gate in self.cast.state()["gates"]:
            path, owner = f"{self.cast.path}/verify/gates/{gate['key']}", self.cast[gate["owner"]]
            if gate["can_run"]:
                owner.post(f"{path}/run")
                assert wait_until(
                    lambda: any("[masked]" in text for text in self._column("GateRun", "output")), seconds=20
                )
            owner.upload(f"{path}/evidence/file", "gate.log", b"Passed\n")
            owner.post(f"{path}/record", outcome="pass", note="Output attached")

    def end(self) -> None:
        for part in (story.own_next_cycle, story.recovered, story.unfreeze, story.deliver, story.close):
            part(self.cast)

    # What is looked at ----------------------------------------------------------------------------------------------

    def look_around(self) -> None:
        """Every page of the commander and what everybody may open, every answer of the API."""
        home = f"{self.cast.path}/"
        story.until(
            "the report", lambda: self.cast.commander.fetch(f"{self.cast.path}/report.pdf", (200, 202))[0] == 200
        )
        self.visitors["commander"].follow("/", home, "/my-work/", "/account/two-step/")
        for path in ("/readyz", "/healthz", "/metrics", "/sign-in/", "/api/v1/openapi.json"):
            self.visitors["stranger"].keep(path)
        [[file]] = self.hand.rows("Attachment", "id")[:1]
        parts = {"ref": self.cast.reference, "product": self.cast.product, "kind": "A", "attachment_id": file}
        for operation in OPERATIONS:
            if operation.startswith("get "):
                path = operation.removeprefix("get /").format(**parts)
                path += "?operation=merge" if path.endswith("/check") else ""
                self._keep(f"API {path}", self._asked(path))

    def answers(self) -> Iterator[tuple[str, bytes]]:
        yield from self.kept.items()
        for visitor in self.visitors.values():
            yield from visitor.answers.items()

    def _keep(self, name: str, answer: Any) -> None:
        heads = {head: value for head, value in answer.headers.items() if head.lower() != "set-cookie"}
        self.kept[f"answer {len(self.kept)}, {name}"] = answer.content
        self.kept[f"headers {len(self.kept)}, {name}"] = json.dumps(heads).encode()

    def _action(self, name: str, act: str) -> str:
        return f"{self.cast.path}{TRACK}/{self.keys[name]}/{act}"

    def _shown(self) -> dict[str, Any]:
        by_key = {action["key"]: action for action in self.cast.state()["actions"]}
        return {name: by_key[key] for name, key in self.keys.items()}

    def _ends(self, name: str = "") -> Any:
        found = {name: row["attempts"][0]["state"] for name, row in self._shown().items() if row["attempts"]}
        return found.get(name) if name else found

    def _said(self, name: str) -> str:
        return json.dumps(self._shown()[name])

    def _column(self, model: str, field: str) -> list[str]:
        return [text for [text] in self.hand.rows(model, field)]
