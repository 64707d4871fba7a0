"""Updates and the report, below `/incidents/<reference>/`."""

from __future__ import annotations

from django.urls import include, path

from comms.views import bundle, notices, report

app_name = "comms"

of_one_incident = [
    path("notices/", notices.page, name="notices"),
    path("notices/<uuid:pk>/", notices.notice, name="notice"),
    path("notices/<uuid:pk>/copies/<uuid:copy>/again/", notices.again, name="again"),
    path("notices/<slug:kind>/", notices.write, name="write"),
    path("report/", report.page, name="report"),
    path("report/make/", report.make, name="make_report"),
    path("report.pdf", report.pdf, name="report_pdf"),
    path("bundle.zip", bundle.bundle_zip, name="bundle_zip"),
    path("report.md", report.markdown, name="report_md"),
    path("followups.csv", report.follow_ups_csv, name="followups_csv"),
    path("followups.beads.jsonl", report.follow_ups_beads, name="followups_beads"),
]
urlpatterns = [path("incidents/<slug:reference>/", include(of_one_incident))]
