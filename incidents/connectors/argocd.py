"""Argo CD: roll an application back to an entry of its history, and wait until it is healthy.

Argo CD refuses a rollback while auto-sync is on, and would undo it if it did not: that is asked first. The entry is
the newest one with the target's revision, or the one that `history_id` names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from incidents.connectors import values
from incidents.connectors.base import Config, Finding, Job, Outcome, Remote
from incidents.connectors.ci import Rehearsing, asked, refused
from incidents.connectors.outbound import Reply
from incidents.connectors.session import Call, Session, Unclear, field_of, rows, segment

SHORTEST_REVISION = 7
SHOWN_REVISIONS = 5
# The health of before stands until Argo CD has looked again: so many bad looks one after the other are a no.
BAD_LOOKS = 15
AUTO_SYNC = (
    "Auto-sync is on for this application: Argo CD refuses a rollback, and would undo it. Switch auto-sync off first; "
    "an app of apps or an ApplicationSet puts it back, so change it there."
)


class ArgoCD(Rehearsing):
    label = "Argo CD"
    takes = {"application": str, "project": str, "namespace": str, "history_id": str, "revision": str, "prune": bool}
    needs = ("application",)
    has_values = False

    def headers(self, config: Config, secret: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {secret}"}

    def prepare(self, job: Job, session: Session) -> tuple[Call, Remote] | Outcome:
        return self._prepare(job, session, is_dry=False)

    def prepare_dry(self, job: Job, session: Session) -> tuple[Call, Remote] | Outcome:
        return self._prepare(job, session, is_dry=True)

    def _prepare(self, job: Job, session: Session, *, is_dry: bool) -> tuple[Call, Remote] | Outcome:
        application = session.get(_path(job.config))
        if objection := _objection(application):
            return refused(self.label, objection)
        entry = _entry(job, application)
        if entry is None:
            return refused(self.label, _not_in_history(job, application))
        body: dict[str, Any] = {"name": job.config["application"], "id": entry["id"], "dryRun": is_dry}
        body["prune"] = job.config.get("prune", False)
        body |= {"project": job.config["project"]} if job.config.get("project") else {}
        body |= {"appNamespace": job.config["namespace"]} if job.config.get("namespace") else {}
        remote: Remote = {
            "id": str(entry["id"]),
            "revision": _revision(entry),
            "before": _began(application),
            "dry": is_dry,
        }
        return Call("POST", f"/api/v1/applications/{segment(job.config['application'])}/rollback", body), remote

    def begun(self, job: Job, session: Session, reply: Reply, remote: Remote) -> Outcome:
        found = session.read(reply)
        if field_of(found, "metadata", "name") is None:
            raise Unclear("no_run", "the answer is no application", reply.status)
        sentence = f"Argo CD rolls {job.config['application']} back to history entry {remote['id']}."
        return self.told(session, "running", sentence, remote=remote, ref=_ref(job, remote))

    def look(self, job: Job, session: Session, remote: Remote) -> Outcome:
        application = session.get(_path(job.config))
        operation = field_of(application, "status", "operationState")
        said = _resources(operation)
        name, ref = job.config["application"], _ref(job, remote)
        if field_of(application, "operation") is not None or _began(application) == remote["before"]:
            sentence = f"The rollback of {name} has not begun yet."
            return self.told(session, "running", sentence, remote=remote, ref=ref)
        phase = session.clean(str(field_of(operation, "phase")))
        words = session.clean(str(field_of(operation, "message") or ""))
        if phase in ("Failed", "Error"):
            return self.told(session, "failed", f"The rollback of {name} ended: {phase}. {words}".strip(), said=said)
        if phase != "Succeeded":
            sentence = f"The rollback of {name}: {phase}. {words}".strip()
            return self.told(session, "running", sentence, remote=remote, ref=ref, said=said)
        if (synced := field_of(operation, "syncResult", "revision")) and synced != remote["revision"]:
            sentence = f"Another sync of {name} ran since, to {session.clean(str(synced))}; look at it in Argo CD."
            return self.told(session, "unknown", sentence, ref=ref, said=said)
        if remote["dry"]:
            sentence = f"Argo CD can roll {name} back to history entry {remote['id']}; nothing was changed."
            return self.told(session, "succeeded", sentence, ref=ref, said=said)
        return self._by_health(session, application, remote, name, ref, said)

    def _by_health(
        self, session: Session, application: Any, remote: Remote, name: str, ref: str, said: bytes
    ) -> Outcome:
        health = session.clean(str(field_of(application, "status", "health", "status")))
        if health == "Healthy":
            return self.told(session, "succeeded", f"{name} is rolled back and healthy.", ref=ref, said=said)
        bad = remote.get("bad", 0) + 1 if health == "Degraded" else 0
        if bad >= BAD_LOOKS:
            return self.told(session, "failed", f"{name} is rolled back, but degraded.", ref=ref, said=said)
        sentence = f"{name} is rolled back; its health is {health}."
        return self.told(session, "running", sentence, remote=remote | {"bad": bad}, ref=ref, said=said)

    def findings(self, config: Config, session: Session, secret: str) -> Iterator[Finding]:
        found, user = asked(session, "/api/v1/session/userinfo", "Argo CD answers.")
        yield (
            found
            if user is None or field_of(user, "loggedIn")
            else Finding(False, "Argo CD does not accept the token: it is wrong, expired or revoked.")
        )
        found, application = asked(
            session,
            _path(config),
            "The token sees the application.",
            status_403="There is no such application, or the token lacks the right applications, get.",
            status_404="There is no application of this name.",
        )
        yield found
        if application is None:
            return
        if objection := _objection(application):
            yield Finding(False, objection)
        kept = len(rows(field_of(application, "status", "history")))
        yield Finding(kept > 1, f"Its history has {kept} {'entry' if kept == 1 else 'entries'}.")
        project = config.get("project") or field_of(application, "spec", "project") or "default"
        subject = segment(f"{project}/{config['application']}")
        answer = session.get(f"/api/v1/account/can-i/applications/sync/{subject}")
        may = field_of(answer, "value") == "yes"
        yield Finding(may, "The token may sync it." if may else "The token lacks the right applications, sync.")


def _path(config: Config) -> str:
    query = {"project": config.get("project"), "appNamespace": config.get("namespace")}
    asked_for = urlencode({key: value for key, value in query.items() if value})
    return f"/api/v1/applications/{segment(config['application'])}" + (f"?{asked_for}" if asked_for else "")


def _objection(application: Any) -> str:
    automated = field_of(application, "spec", "syncPolicy", "automated")
    if isinstance(automated, dict) and automated.get("enabled") is not False:
        return AUTO_SYNC
    if field_of(application, "metadata", "deletionTimestamp"):
        return "The application is being deleted."
    return "Another operation runs on it." if field_of(application, "operation") is not None else ""


def _entry(job: Job, application: Any) -> dict[str, Any] | None:
    history = rows(field_of(application, "status", "history"))
    named = job.arguments.get("history_id") or values.fill(job.config.get("history_id", ""), job)
    if named:
        return next((entry for entry in history if str(entry.get("id")) == named), None)
    wanted = _wanted(job)
    fitting = [entry for entry in history if _fits(wanted, entry)]
    return max(fitting, key=lambda entry: int(entry.get("id", 0)), default=None)


def _wanted(job: Job) -> str:
    return values.fill(job.config.get("revision") or "{target}", job)


def _fits(wanted: str, entry: dict[str, Any]) -> bool:
    known = [str(revision) for revision in [entry.get("revision"), *(entry.get("revisions") or [])] if revision]
    is_long = len(wanted) >= SHORTEST_REVISION
    return any(wanted == revision or (is_long and revision.startswith(wanted)) for revision in known)


def _not_in_history(job: Job, application: Any) -> str:
    history = rows(field_of(application, "status", "history"))
    known = ", ".join(f"{entry.get('id')} ({_revision(entry)[:12]})" for entry in history[-SHOWN_REVISIONS:])
    return f"The history of {job.config['application']} has no {_wanted(job)}. Its last entries: {known or 'none'}."


def _revision(entry: dict[str, Any]) -> str:
    return str(entry.get("revision") or (entry.get("revisions") or [""])[0])


def _began(application: Any) -> str:
    return str(field_of(application, "status", "operationState", "startedAt") or "")


def _ref(job: Job, remote: Remote) -> str:
    return f"{job.config['application']}, history entry {remote['id']}"


def _resources(operation: Any) -> bytes:
    found = rows(field_of(operation, "syncResult", "resources"))
    lines = [f"{row.get('kind')}/{row.get('name')}: {row.get('status')} {row.get('message') or ''}" for row in found]
    return "\n".join([str(field_of(operation, "message") or ""), *lines]).strip().encode("utf-8", "replace")


CONNECTOR = ArgoCD()
