"""The routes of the runbook's steps, below `/incidents/<reference>/`."""

from __future__ import annotations

from django.urls import URLPattern, path

from incidents.views import action, cleanup, deliver, files, foreign, freeze, gate, rollback, target, unfreeze, verify

urlpatterns: list[URLPattern] = [
    path("freeze/", freeze.freeze, name="freeze"),
    path("freeze/exceptions/", freeze.propose_exception, name="propose_exception"),
    path("freeze/exceptions/<int:pk>/revoke/", freeze.revoke_exception, name="revoke_exception"),
    path("target/", target.target, name="target"),
    path("target/confirm/<slug:aspect>/", target.confirm, name="confirm_target"),
    path("rollback/", rollback.rollback, name="rollback"),
    path("rollback/plan/", rollback.make_plan, name="make_plan"),
    path("rollback/add/", rollback.add_action, name="add_action"),
    path("rollback/<slug:key>/", action.action, name="action"),
    path("rollback/<slug:key>/approve/", action.approve, name="approve_action"),
    path("rollback/<slug:key>/rehearse/", action.rehearse, name="rehearse_action"),
    path("rollback/<slug:key>/dispatch/", action.dispatch, name="dispatch_action"),
    path("rollback/<slug:key>/complete/", action.complete, name="complete_action"),
    path("rollback/<slug:key>/abort/", action.abort, name="abort_action"),
    path("rollback/<slug:key>/waive/", action.waive, name="waive_action"),
    path("rollback/<slug:key>/resolve/", action.resolve, name="resolve_action"),
    path("cleanup/", cleanup.cleanup, name="cleanup"),
    path("cleanup/<slug:area>/", cleanup.cleanup_area, name="cleanup_area"),
    path("cleanup/<slug:area>/waive/", cleanup.waive_item, name="waive_cleanup"),
    path("verify/", verify.verify, name="verify"),
    path("verify/begin/", verify.begin, name="begin_verification"),
    path("verify/reopen/", verify.reopen, name="reopen_rollback"),
    path("verify/<slug:gate>/", gate.gate, name="gate"),
    path("verify/<slug:gate>/run/", gate.run, name="run_gate"),
    path("verify/<slug:gate>/record/", gate.record, name="record_gate"),
    path("verify/<slug:gate>/baseline/", gate.baseline, name="accept_baseline"),
    path("verify/<slug:gate>/risk/", gate.risk, name="accept_risk"),
    path("unfreeze/", unfreeze.unfreeze, name="unfreeze"),
    path("unfreeze/lift/<slug:stage>/", unfreeze.lift, name="lift"),
    path("unfreeze/refreeze/", unfreeze.refreeze, name="refreeze"),
    path("unfreeze/owners/<slug:area>/", unfreeze.name_owner, name="name_owner"),
    path("unfreeze/owners/<slug:area>/accept/", unfreeze.accept_ownership, name="accept_ownership"),
    path("deliver/", deliver.deliver, name="deliver"),
    path("deliver/summary/", deliver.summary, name="write_summary"),
    path("deliver/follow-ups/", deliver.add_follow_up, name="add_follow_up"),
    path("deliver/safeguards/", deliver.add_safeguard, name="add_safeguard"),
    path("deliver/close/", deliver.close, name="close"),
    path("foreign/", foreign.foreign, name="foreign"),
    path("foreign/mark/", foreign.mark_foreign, name="mark_foreign"),
    path("foreign/<int:seq>/", foreign.foreign_log, name="foreign_log"),
    path("files/<str:sha256>/", files.attachment, name="attachment"),
]
