"""The nouns. One file for each of the runbook's words, and those they stand on."""

from incidents.models.cleanup import Attachment, CleanupItem, Exhibit
from incidents.models.connector import Connector, Wiring
from incidents.models.deliver import FollowUp, Review, Safeguard
from incidents.models.evidence import ZERO, Checkpoint, EvidenceChain, EvidenceEntry, PrivateValue
from incidents.models.freeze import Freeze, FreezeException, FreezeMeasure
from incidents.models.incident import Incident, ReferenceCounter
from incidents.models.product import Environment, Product, RosterEntry
from incidents.models.roles import AuditGrant, IncidentUserObjectPermission, Membership, Proposal
from incidents.models.rollback import (
    Action,
    Approval,
    Attempt,
    CallbackReceipt,
    DispatchStop,
    Rehearsal,
    TargetFence,
    WorkerBeat,
)
from incidents.models.runbook import RunbookVersion
from incidents.models.suggestion import Suggestion
from incidents.models.target import Confirmation, Target
from incidents.models.unfreeze import CycleOwner
from incidents.models.verify import AcceptedRisk, BaselineBlocker, Gate, GateRun

__all__ = [
    "ZERO",
    "AcceptedRisk",
    "Action",
    "Approval",
    "Attachment",
    "Attempt",
    "AuditGrant",
    "BaselineBlocker",
    "CallbackReceipt",
    "Checkpoint",
    "CleanupItem",
    "Confirmation",
    "Connector",
    "CycleOwner",
    "DispatchStop",
    "Environment",
    "EvidenceChain",
    "EvidenceEntry",
    "Exhibit",
    "FollowUp",
    "Freeze",
    "FreezeException",
    "FreezeMeasure",
    "Gate",
    "GateRun",
    "Incident",
    "IncidentUserObjectPermission",
    "Membership",
    "PrivateValue",
    "Product",
    "Proposal",
    "ReferenceCounter",
    "Rehearsal",
    "Review",
    "RosterEntry",
    "RunbookVersion",
    "Safeguard",
    "Suggestion",
    "Target",
    "TargetFence",
    "Wiring",
    "WorkerBeat",
]
