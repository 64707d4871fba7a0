"""What the connectors to CI systems share: start a run once, look how it goes, say beforehand what is missing.

Only the first request starts anything. It is sent once and judged as any other act; everything after it is a question,
and a question that failed is asked again. Where the answer to the start is lost, a run that carries the attempt's id
is looked for, so that the system's own word decides and not a guess.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Event
from typing import Any, ClassVar, TypeAlias

from incidents.connectors import output, urls, values
from incidents.connectors.base import (
    Alive,
    Config,
    Detail,
    Finding,
    Job,
    Limits,
    Outcome,
    Remote,
    State,
    unknown_settings,
)
from incidents.connectors.failure import Forbidden, NoAnswer, NotSent
from incidents.connectors.outbound import Reply
from incidents.connectors.session import Call, Session, Unclear
from incidents.connectors.watch import NotOurs, OutOfTime, Watch

START_SECONDS = 30.0
POLL_SECONDS = 10.0
TEST_SECONDS = 20.0
LOOK_EVERY_SECONDS = 1.0
LONGEST_REF = 200
# What these say is "I did not do it". Any other answer that is not 2xx leaves that open, redirects included.
REJECTED = {400, 401, 403, 404, 405, 409, 410, 422}
KINDS = {str: "a text", int: "a whole number", bool: "true or false"}
TROUBLE = (NotSent, NoAnswer, Unclear)
Prepare: TypeAlias = Callable[[Job, Session], "tuple[Call, Remote] | Outcome"]


class System(ABC):
    """One kind of CI system.

    Attributes:
        label: its name in sentences.
        takes: its settings besides `url` and `values`, with what each is.
        needs: those that must be there.
        default_url: where it is, when no `url` is set.
        can_find: whether a run can be found by the attempt's id that one of the `values` carries.
    """

    label: ClassVar[str]
    takes: ClassVar[dict[str, type]]
    needs: ClassVar[tuple[str, ...]]
    default_url: ClassVar[str] = ""
    can_find: ClassVar[bool] = False
    has_values: ClassVar[bool] = True

    # What each system says itself -------------------------------------------------------------------------------------

    @abstractmethod
    def headers(self, config: Config, secret: str) -> dict[str, str]:
        """Say who asks."""

    @abstractmethod
    def prepare(self, job: Job, session: Session) -> tuple[Call, Remote] | Outcome:
        """Return the request that starts the run, and what finds it if its answer is lost; or why it may not start.

        May ask, and changes nothing.
        """

    @abstractmethod
    def begun(self, job: Job, session: Session, reply: Reply, remote: Remote) -> Outcome:
        """Read which run was started. Raises `Unclear`."""

    @abstractmethod
    def look(self, job: Job, session: Session, remote: Remote) -> Outcome:
        """Say how the run goes. Raises one of `TROUBLE`."""

    @abstractmethod
    def findings(self, config: Config, session: Session, secret: str) -> Iterator[Finding]:
        """Say what is there and what is missing. Raises one of `TROUBLE`."""

    def find(self, job: Job, session: Session, remote: Remote) -> Remote | None:
        """Look for the run that carries this attempt's id."""
        return None

    def own_problems(self, config: Config) -> list[str]:
        return []

    def secret_problems(self, config: Config, secret: str | None) -> list[str]:
        return [] if secret else [f"{self.label} needs a token: name the variable that holds it as the secret."]

    def secrets_of(self, secret: str) -> list[str]:
        """The parts of the secret that must not be shown."""
        return [secret]

    # What all of them do ----------------------------------------------------------------------------------------------

    def check(self, config: Config, limits: Limits) -> list[str]:
        """Return sentences why this configuration cannot work; nothing is resolved or sent."""
        problems = unknown_settings(config, {"url", *self.takes} | ({"values"} if self.has_values else set()))
        base = config.get("url") or self.default_url or None
        problems += urls.problems(base, limits) or (["url must have no query (?…)."] if "?" in str(base) else [])
        problems += [f"{name} must be set." for name in self.needs if not config.get(name)]
        problems += [problem for name in self.takes if (problem := self._misfit(name, config))]
        problems += values.problems(config) if self.has_values else []
        return problems or self.own_problems(config)

    def _misfit(self, name: str, config: Config) -> str:
        value, wanted = config.get(name), self.takes[name]
        if value is None or type(value) is wanted:
            unknown = values.unknown_places([str(value)]) if wanted is str and value else []
            return f"{name} uses {unknown[0]}, which is no fact of a job." if unknown else ""
        return f"{name} must be {KINDS[wanted]}."

    def run(self, job: Job, limits: Limits, alive: Alive) -> Outcome:
        """Start the run once, and say what the system answered."""
        return self._start(job, limits, alive, self.prepare)

    def _start(self, job: Job, limits: Limits, alive: Alive, prepare: Prepare) -> Outcome:
        problems = self.check(job.config, limits) + self.secret_problems(job.config, job.secret)
        problems += values.clashes(job) if self.has_values and not problems else []
        if problems:
            return Outcome(state="failed", sentence=f"Nothing was sent. {problems[0]}", detail={"reason": "settings"})
        watch = Watch(min(START_SECONDS, job.deadline_seconds), alive, limits.alive_every_seconds)
        session = self._session(job.config, job.secret or "", limits, watch)
        try:
            prepared = prepare(job, session)
        except TROUBLE as error:
            return self._not_begun(error)
        if isinstance(prepared, Outcome):
            return prepared
        call, remote = prepared
        try:
            reply = session.send(call)
        except NotSent as error:
            return self._not_begun(error)
        except NoAnswer as error:
            return self._ambiguous(remote, str(error), {"reason": error.reason, "status": error.status})
        return self._judge(job, session, reply, remote)

    def _judge(self, job: Job, session: Session, reply: Reply, remote: Remote) -> Outcome:
        detail: Detail = {"status": reply.status, "address": reply.peer, "duration_ms": session.watch.spent_ms}
        if reply.status in REJECTED:
            sentence = f"{self.label} rejected it (status {reply.status}){session.quoted(reply)}; nothing was started."
            return self.told(session, "failed", sentence, detail=detail, said=reply.body)
        if not 200 <= reply.status < 300:
            return self._ambiguous(remote, _unclear_status(self.label, reply.status), detail)
        try:
            outcome = self.begun(job, session, reply, remote)
            return replace(outcome, detail=detail | outcome.detail)
        except TROUBLE as error:
            accepted = f"{self.label} accepted it (status {reply.status}), but did not say which run it is: {error}."
            return self._ambiguous(remote, accepted, detail)

    def _not_begun(self, error: NotSent | NoAnswer | Unclear) -> Outcome:
        """Nothing that starts anything was sent: what failed was the way there, or a question before it."""
        if isinstance(error, NotSent):
            state: State = "failed" if isinstance(error, Forbidden) else "not_sent"
            return Outcome(state=state, sentence=str(error), detail={"reason": error.reason})
        state = "not_sent" if isinstance(error, NoAnswer) else "failed"
        sentence = f"Nothing was started. {self.label} could not be asked first: {error}."
        return Outcome(state=state, sentence=sentence, detail={"reason": error.reason, "status": error.status})

    def _ambiguous(self, remote: Remote, sentence: str, detail: Detail) -> Outcome:
        if not remote:
            return Outcome(state="unknown", sentence=f"{sentence} Whether it runs is not known.", detail=detail)
        return Outcome(
            state="running", sentence=f"{sentence} Whether it runs is being looked up.", detail=detail, remote=remote
        )

    def poll(self, job: Job, limits: Limits, remote: Remote) -> Outcome:
        """Look how it goes; find the run first, where its number is not known."""
        session = self._session(job.config, job.secret or "", limits, Watch(POLL_SECONDS, _yes, POLL_SECONDS))
        try:
            if "find" in remote:
                found = self.find(job, session, remote)
                if found is None:
                    sentence = f"{self.label} shows no run of this attempt yet."
                    return Outcome(state="running", sentence=sentence, remote=remote)
                remote = found
            return self.look(job, session, remote)
        except TROUBLE as error:
            sentence = f"{self.label} could not be asked how it goes: {error}."
            return Outcome(state="running", sentence=sentence, detail={"reason": error.reason}, remote=remote)

    def thread(self, job: Job) -> Remote:
        """Return what finds the run if the answer to the start is lost."""
        is_findable = self.can_find and values.echoes(job.config)
        return {"find": str(job.attempt_id)} if is_findable else {}

    def self_test(self, config: Config, limits: Limits, secret: str | None) -> list[Finding]:
        """Ask what is there and what is allowed, by questions that change nothing."""
        if problems := self.check(config, limits) + self.secret_problems(config, secret):
            return [Finding(False, problem) for problem in problems]
        session = self._session(config, secret or "", limits, Watch(TEST_SECONDS, _yes, TEST_SECONDS))
        found: list[Finding] = []
        try:
            found.extend(self.findings(config, session, secret or ""))
        except TROUBLE as error:
            found.append(Finding(False, f"{self.label} could not be asked: {error}."))
        return found

    def told(
        self,
        session: Session,
        state: State,
        sentence: str,
        *,
        remote: Remote | None = None,
        ref: object = "",
        detail: Detail | None = None,
        said: bytes = b"",
        dropped: int = 0,
    ) -> Outcome:
        """An outcome, with what the system printed as its output.

        Args:
            ref: a link or number that people find the run by.
            dropped: how many bytes of the system's output were not fetched, before `said`.
        """
        kept = output.of(said, session.limits.output_cap, session.secrets)
        return Outcome(
            state=state,
            sentence=sentence,
            detail=detail or {},
            output=kept.text,
            output_bytes=kept.size + dropped,
            output_dropped=kept.dropped + dropped,
            output_sha256=kept.sha256,
            remote_ref=session.clean(str(ref or ""))[:LONGEST_REF],
            remote=remote or {},
        )

    def _session(self, config: Config, secret: str, limits: Limits, watch: Watch) -> Session:
        base = (config.get("url") or self.default_url).rstrip("/")
        return Session(base, self.headers(config, secret), limits, watch, self.secrets_of(secret))


class Rehearsing(System):
    """A system that can be told to do everything but the change."""

    @abstractmethod
    def prepare_dry(self, job: Job, session: Session) -> tuple[Call, Remote] | Outcome:
        """Return the request that starts the dry run; or why there can be none."""

    def rehearse(self, job: Job, limits: Limits, alive: Alive) -> Outcome:
        """Start a dry run and wait for its end."""
        watch = Watch(job.deadline_seconds, alive, limits.alive_every_seconds)
        outcome = self._start(job, limits, alive, self.prepare_dry)
        try:
            while outcome.state == "running":
                Event().wait(min(LOOK_EVERY_SECONDS, watch.pulse()))
                outcome = self.poll(job, limits, outcome.remote)
        except (OutOfTime, NotOurs):
            sentence = f"The dry run was not waited for any longer. Last seen: {outcome.sentence}"
            return replace(outcome, state="unknown", sentence=sentence)
        return outcome


def refused(label: str, sentence: str) -> Outcome:
    """What `prepare` returns where the run may not start."""
    return Outcome(state="failed", sentence=f"Nothing was started. {sentence}", detail={"reason": "guard"})


def asked(session: Session, path: str, good: str, **missing: str) -> tuple[Finding, Any]:
    """Ask one question of a self-test.

    Args:
        good: the sentence for the answer 200.
        missing: the sentences for other answers, as `status_404`.

    Returns:
        The finding, and the answer's JSON or None.
    """
    reply = session.ask(path)
    if reply.status == 200:
        return Finding(True, good), session.read(reply)
    known = missing.get(f"status_{reply.status}") or f"Status {reply.status} came back from {path.partition('?')[0]}."
    return Finding(False, known + session.quoted(reply)), None


def _unclear_status(label: str, status: int) -> str:
    if 300 <= status < 400:
        return f"{label} answered with a redirect (status {status}), which is never followed."
    return f"{label} answered with status {status}."


def _yes() -> bool:
    return True
