"""The fixtures keep what their docstrings promise."""

import json
import os
import signal
import smtplib
from urllib.request import Request, urlopen

import pytest
from django.core.mail import EmailMultiAlternatives, send_mail
from django.db import connection
from django.urls import reverse

from incidents.evidence import triggers
from incidents.models import EvidenceEntry
from incidents.terms import Kind
from portal.accounts.models import ApiToken, Scope
from portal.celery import app
from portal.demo.processes import wait_until
from tests.factories import make_crew, make_incident


def test_sent_mail_arrives_once_per_recipient(smtp_sink):
    send_mail("Ünfreeze", "Text", "a@example.org", ["b@example.org", "c@example.org"], html_message="<p>Text</p>")

    messages = smtp_sink.wait_for(2)
    assert [message["Delivered-To"] for message in messages] == ["b@example.org", "c@example.org"]
    assert smtp_sink.to("c@example.org")[0].get_body(("plain",)).get_content().strip() == "Text"


def test_a_recipient_can_be_refused(smtp_sink):
    smtp_sink.answers["b@example.org"] = "550 no such person"

    with pytest.raises(smtplib.SMTPRecipientsRefused, match="no such person"):
        EmailMultiAlternatives("Subject", "Text", "a@example.org", ["b@example.org"]).send()

    assert smtp_sink.messages == []


@pytest.mark.thorough
def test_a_worker_answers_and_can_be_killed(worker):
    assert app.control.ping(timeout=2, limit=1)

    os.kill(worker.pid, signal.SIGKILL)

    assert wait_until(lambda: worker.child.has_ended, seconds=5)


@pytest.mark.thorough
def test_a_traceback_in_the_log_is_trouble_unless_expected(start_worker):
    worker = start_worker(LASTGOOD_SWEEP_SECONDS="60")
    app.send_task("portal.no_such_task")
    assert wait_until(lambda: "KeyError" in worker.log, seconds=10)

    with pytest.raises(pytest.fail.Exception, match="no_such_task"):
        worker.check_log()

    worker.may_log("portal.no_such_task")


def test_the_web_server_sees_the_test_database(served):
    crew = make_crew()
    token = ApiToken.issue(crew.commander, name="Pipeline", scopes=[Scope.CHECK])[1]
    question = f"{served.url}/api/v1/freeze/{crew.product.slug}/check?operation=merge"

    with urlopen(Request(question, headers={"Authorization": f"Bearer {token}"})) as answer:
        assert json.load(answer)["decision"] == "allow"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("time_of_day", ["first", "again"])
def test_evidence_is_guarded_in_every_transactional_test_and_gone_in_the_next(time_of_day):
    # What is there is what migrations leave: the runbook's first version is on record.
    assert set(EvidenceEntry.objects.values_list("kind", flat=True)) == {Kind.CONFIGURED}

    make_incident(make_crew())

    assert triggers.missing(connection) == []


def test_engine_names_the_database(engine):
    assert engine == os.environ["LASTGOOD_ENGINE"]


@pytest.mark.browser
def test_a_page_is_served_to_chromium(browser_page):
    answer = browser_page.goto(reverse("account_login"))

    assert answer.status == 200


@pytest.mark.browser
def test_a_console_error_is_noted(browser_page, console):
    browser_page.evaluate("console.error('broken on purpose')")
    browser_page.evaluate("setTimeout(() => { throw new Error('thrown on purpose') })")
    browser_page.wait_for_timeout(100)

    assert len(console.unexpected()) == 2
    console.allow("on purpose")
