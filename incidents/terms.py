"""The runbook's words as closed sets. A leaf: it imports nothing of the project."""

from __future__ import annotations

from django.db.models import TextChoices


class Phase(TextChoices):
    DECLARED = "declared", "Declared"
    TARGETED = "targeted", "Targeted"
    ROLLING_BACK = "rolling_back", "Rolling back"
    VERIFYING = "verifying", "Verifying"
    UNFREEZING = "unfreezing", "Unfreezing"
    REVIEW = "review", "In review"
    CLOSED = "closed", "Closed"
    STOOD_DOWN = "stood_down", "Stood down"


class Role(TextChoices):
    COMMANDER = "commander", "Incident Commander"
    API_LEAD = "api_lead", "API Lead"
    INFRASTRUCTURE_LEAD = "infrastructure_lead", "Infrastructure Lead"
    DATA_EVIDENCE_LEAD = "data_evidence_lead", "Data and Evidence Lead"
    SECURITY_LEAD = "security_lead", "Security Lead"
    COMMUNICATIONS_OWNER = "communications_owner", "Communications Owner"


class Level(TextChoices):
    L1 = "L1", "L1 Code and config"
    L2 = "L2", "L2 Code, config, schema and data"
    L3 = "L3", "L3 Code, data, evidence and credentials"

    @property
    def height(self) -> int:
        return int(self.value[1])


class Measure(TextChoices):
    MERGES = "merges", "Feature merges"
    CLAIMS = "claims", "Bead claims"
    PROMOTIONS = "promotions", "Environment promotions"
    DEPLOYS = "deploys", "Deployments"


class Track(TextChoices):
    APPLICATION = "3a", "Application and API rollback"
    INFRASTRUCTURE = "3b", "Infrastructure rollback"
    DATA = "3c", "Data rollback and cleanup"
    EVIDENCE = "3d", "Evidence pipeline actions"
    CREDENTIALS = "3e", "Credential and security cleanup"


class Aspect(TextChoices):
    MIGRATION_STATE = "migration_state", "Migration state"
    ENVIRONMENT_CONFIGURATION = "environment_configuration", "Environment configuration"
    EVIDENCE_CUTOVER = "evidence_cutover", "Evidence and event cutover point"


class TargetKind(TextChoices):
    COMMIT = "commit", "Commit"
    BUILD = "build", "Build"
    DEPLOYMENT = "deployment", "Deployment"


class ActionState(TextChoices):
    PLANNED = "planned", "Planned"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Done"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Outcome unknown"
    WAIVED = "waived", "Waived"


class AttemptState(TextChoices):
    QUEUED = "queued", "Queued"
    LEASED = "leased", "Claimed"
    STARTED = "started", "Started"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Unknown"
    CANCELLED = "cancelled", "Cancelled"


class ConnectorKind(TextChoices):
    MANUAL = "manual", "By hand"
    WEBHOOK = "webhook", "Signed webhook"
    COMMAND = "command", "Allow-listed command"
    PROBE = "probe", "HTTP probe (gates)"
    GITHUB = "github", "GitHub Actions workflow"
    GITLAB = "gitlab", "GitLab pipeline"
    ARGOCD = "argocd", "Argo CD rollback"
    JENKINS = "jenkins", "Jenkins job"
    AWX = "awx", "AWX job template"
    RUNDECK = "rundeck", "Rundeck job"


class CleanupState(TextChoices):
    OPEN = "open", "Open"
    DONE = "done", "Done"
    WAIVED = "waived", "Waived"


class GateOutcome(TextChoices):
    NOT_RUN = "not_run", "Not run"
    PASS = "pass", "Pass"
    FAIL = "fail", "Fail"
    ERROR = "error", "Error"


class BlockerKind(TextChoices):
    GATE_BASELINE = "gate-baseline", "Gate baseline mismatch"
    LINT_BASELINE = "lint-baseline", "Lint baseline"
    AUDIT_HIGH = "audit-high", "Known dependency advisories"
    OTHER = "other", "Other"


class ScanState(TextChoices):
    """What is known of an uploaded file. A scanner that finds something refuses the file, so no state says so."""

    NOT_SCANNED = "not_scanned", "Not scanned"
    CLEAN = "clean", "Scanned, nothing found"
    UNANSWERED = "unanswered", "The scanner did not answer"


class Source(TextChoices):
    """Which outside system suggests a declaration."""

    ALERTMANAGER = "alertmanager", "Alertmanager"
    CI = "ci", "CI pipeline"


class SuggestionState(TextChoices):
    WAITING = "waiting", "Waiting"
    DECLARED = "declared", "Declared"
    DISMISSED = "dismissed", "Dismissed"
    EXPIRED = "expired", "Expired"


class Priority(TextChoices):
    P0 = "P0", "P0 now"
    P1 = "P1", "P1 next cycle"
    P2 = "P2", "P2 soon"
    P3 = "P3", "P3 later"


class NoticeKind(TextChoices):
    """A, B and C are the runbook's; the others are ours, and the last three go to the people of the incident alone."""

    A = "A", "Rollback declared"
    B = "B", "Rollback execution update"
    C = "C", "Recovery and unfreeze notice"
    STAND_DOWN = "stand_down", "Stand-down notice"
    REMINDER = "reminder", "Update overdue"
    STEPPED_IN = "stepped_in", "An administrator took a role"
    UNKNOWN = "unknown", "Outcome unknown"


INTERNAL = (NoticeKind.REMINDER, NoticeKind.STEPPED_IN, NoticeKind.UNKNOWN)


class Act(TextChoices):
    """What a person or the system can do to an incident. `policy` says who, `lifecycle` says when."""

    DECLARE = "declare", "Declare rollback mode"
    ASSIGN_ROLE = "assign_role", "Assign a role"
    ACCEPT_ROLE = "accept_role", "Accept a role"
    HAND_OVER = "hand_over", "Hand over a role"
    TAKE_OVER = "take_over", "Take over a role"
    STEP_IN = "step_in", "Take a role as administrator"
    LIMIT_KNOWLEDGE = "limit_knowledge", "Change who may know of it"
    RAISE_LEVEL = "raise_level", "Raise the scope level"
    LOWER_LEVEL = "lower_level", "Lower the scope level"
    STAND_DOWN = "stand_down", "Stand down"
    ADD_NOTE = "add_note", "Add a note"
    DECLINE = "decline", "Decline a proposal"
    ALLOW_EXCEPTION = "allow_exception", "Allow an exception to the freeze"
    REVOKE_EXCEPTION = "revoke_exception", "Revoke an exception"
    CHOOSE_TARGET = "choose_target", "Choose the target"
    CONFIRM_TARGET = "confirm_target", "Confirm an aspect of the target"
    MAKE_PLAN = "make_plan", "Make the rollback plan"
    ADD_ACTION = "add_action", "Add an action"
    APPROVE_ACTION = "approve_action", "Approve an action"
    DISPATCH_ACTION = "dispatch_action", "Dispatch an action"
    COMPLETE_ACTION = "complete_action", "Record an action done by hand"
    REHEARSE_ACTION = "rehearse_action", "Ask for a dry run"
    ABORT_ACTION = "abort_action", "Abort an action"
    WAIVE_ACTION = "waive_action", "Waive an action"
    RESOLVE_UNKNOWN = "resolve_unknown", "Decide an unknown outcome"
    RUN_ACTION = "run_action", "Run an action"
    TICK_CLEANUP = "tick_cleanup", "Tick a cleanup item"
    ATTACH_EVIDENCE = "attach_evidence", "Attach evidence"
    WAIVE_CLEANUP = "waive_cleanup", "Waive a cleanup item"
    BEGIN_VERIFICATION = "begin_verification", "Begin verification"
    REOPEN_ROLLBACK = "reopen_rollback", "Go back to rolling back"
    RUN_GATE = "run_gate", "Run a gate"
    RECORD_GATE = "record_gate", "Record a gate's outcome"
    SETTLE_GATE = "settle_gate", "Record what came of a gate run"
    ACCEPT_BASELINE = "accept_baseline", "Accept a baseline blocker"
    ACCEPT_RISK = "accept_risk", "Accept a risk"
    NAME_OWNER = "name_owner", "Name an owner for next-cycle work"
    ACCEPT_OWNERSHIP = "accept_ownership", "Accept ownership"
    LIFT = "lift", "Lift a freeze measure"
    REFREEZE = "refreeze", "Freeze again"
    SEND_NOTICE = "send_notice", "Send a notice"
    SETTLE_NOTICE = "settle_notice", "Record what came of a notice"
    WRITE_SUMMARY = "write_summary", "Write the incident summary"
    ADD_FOLLOW_UP = "add_follow_up", "Add a follow-up"
    ADD_SAFEGUARD = "add_safeguard", "Record a safeguard"
    CLOSE = "close", "Close the incident"
    CORRECT = "correct", "Correct a record"
    ERASE = "erase", "Erase a personal value"
    VERIFY_FOREIGN = "verify_foreign", "Verify a foreign evidence log"
    ANNOTATE_FOREIGN = "annotate_foreign", "Mark affected runs in a foreign evidence log"


class Kind(TextChoices):
    """What an evidence entry says happened."""

    DECLARED = "incident.declared", "Rollback mode declared"
    ROLE_ASSIGNED = "role.assigned", "Role assigned"
    ROLE_ACCEPTED = "role.accepted", "Role accepted"
    ROLE_HANDED_OVER = "role.handed_over", "Role handed over"
    ROLE_TAKEN_OVER = "role.taken_over", "Role taken over"
    SUGGESTION_DISMISSED = "suggestion.dismissed", "Suggested declaration dismissed"
    STEPPED_IN = "role.stepped_in", "Role taken by an administrator"
    KNOWLEDGE_CHANGED = "incident.knowledge_changed", "Who may know of it changed"
    LEVEL_CHANGED = "level.changed", "Scope level changed"
    STOOD_DOWN = "incident.stood_down", "Stood down"
    NOTE_ADDED = "note.added", "Note"
    PROPOSED = "proposal.made", "Second person asked for"
    PROPOSAL_DECLINED = "proposal.declined", "Second person declined"
    EXCEPTION_ALLOWED = "exception.allowed", "Exception allowed"
    EXCEPTION_REVOKED = "exception.revoked", "Exception revoked"
    TARGET_CHOSEN = "target.chosen", "Target chosen"
    TARGET_CONFIRMED = "target.confirmed", "Target confirmed"
    PLAN_MADE = "plan.made", "Rollback plan made"
    ACTION_ADDED = "action.added", "Action added"
    ACTION_APPROVED = "action.approved", "Action approved"
    ACTION_QUEUED = "action.queued", "Action queued"
    ACTION_STARTED = "action.started", "Action started"
    ACTION_FOLLOWED = "action.followed", "Action runs outside"
    ACTION_REHEARSED = "action.rehearsed", "Dry run"
    ACTION_SUCCEEDED = "action.succeeded", "Action done"
    ACTION_FAILED = "action.failed", "Action failed"
    ACTION_UNKNOWN = "action.unknown", "Action outcome unknown"
    ACTION_CANCELLED = "action.cancelled", "Action aborted"
    ACTION_LATE = "action.late_result", "Late result, not applied"
    ACTION_RESOLVED = "action.resolved", "Unknown outcome decided"
    ACTION_WAIVED = "action.waived", "Action waived"
    CLEANUP_TICKED = "cleanup.ticked", "Cleanup item done"
    CLEANUP_WAIVED = "cleanup.waived", "Cleanup item waived"
    EXHIBIT_ADDED = "exhibit.added", "Evidence attached"
    VERIFICATION_BEGUN = "verification.begun", "Verification begun"
    ROLLBACK_REOPENED = "rollback.reopened", "Back to rolling back"
    GATE_QUEUED = "gate.queued", "Gate run asked for"
    GATE_RECORDED = "gate.recorded", "Gate outcome recorded"
    BASELINE_ACCEPTED = "gate.baseline_accepted", "Baseline blocker accepted"
    RISK_ACCEPTED = "risk.accepted", "Risk accepted"
    OWNER_NAMED = "owner.named", "Next-cycle owner named"
    OWNER_ACCEPTED = "owner.accepted", "Next-cycle ownership accepted"
    LIFTED = "freeze.lifted", "Freeze lifted"
    REFROZEN = "freeze.refrozen", "Frozen again"
    NOTICE_ISSUED = "notice.issued", "Notice issued"
    NOTICE_SENT = "notice.sent", "Notice sent"
    NOTICE_RETRIED = "notice.retried", "Notice sent again"
    SUMMARY_WRITTEN = "summary.written", "Incident summary written"
    FOLLOW_UP_ADDED = "follow_up.added", "Follow-up added"
    SAFEGUARD_ADDED = "safeguard.added", "Safeguard recorded"
    CLOSED = "incident.closed", "Incident closed"
    CORRECTED = "record.corrected", "Record corrected"
    DISPATCH_STOPPED = "dispatch.stopped", "Dispatch stopped"
    DISPATCH_RESUMED = "dispatch.resumed", "Dispatch resumed"
    CONFIGURED = "configuration.changed", "Configuration changed"
    ERASED = "privacy.erased", "Personal value erased"
    FOREIGN_VERIFIED = "foreign.verified", "Foreign evidence log verified"
    FOREIGN_ANNOTATED = "foreign.annotated", "Affected runs marked"
    CHECKPOINT_SIGNED = "checkpoint.signed", "Checkpoint signed"
    KEY_MADE = "key.made", "Signing key made"
    EVIDENCE_UNCERTAIN = "evidence.uncertain", "Evidence integrity uncertain"
    CLOCK_SKEWED = "clock.skewed", "Clock went backwards"
    HANDED_OUT = "custody.handed_out", "Evidence handed out"
