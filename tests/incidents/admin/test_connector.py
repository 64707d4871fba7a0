"""Connectors and wirings: judged by the connector's own check, their secrets never shown and never kept."""

from __future__ import annotations

import html
import json
from contextlib import closing
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from incidents.admin.connector_examples import EXAMPLES
from incidents.models import Connector, Wiring
from incidents.self_test import problems_of
from incidents.terms import ConnectorKind
from tests.factories import ProductFactory
from tests.incidents.admin.given import address, clerk, configured, filled
from tests.incidents.connectors.cases import GITHUB as GITHUB_CASE
from tests.incidents.connectors.stubs.base import TOKEN
from tests.incidents.connectors.stubs.github import GitHub

pytestmark = pytest.mark.django_db

ALLOWED = {"argv": ["/bin/echo", "{target}"], "arguments": {"target": {"pattern": "[a-z0-9]+"}}}

GITHUB = '{"url": "https://ci.example.test", "repository": "acme/app", "workflow": "back.yml", "ref": "main"}'


@pytest.fixture(autouse=True)
def _operator(settings: Any) -> None:
    settings.OUTBOUND_HOSTS = ["ci.example.test"]
    settings.COMMANDS = {"echo": ALLOWED}


def asked(**changes: Any) -> dict[str, Any]:
    config = json.dumps({"url": "https://ci.example.test/hooks/s3cret-path"})
    fields = {"name": "Deployer", "kind": "webhook", "config": config, "secret": "env:DEPLOY_SECRET"}
    return {**fields, "deadline_seconds": "120", "max_parallel": "4", "enabled": "on", **changes}


def test_a_connector_is_made_and_on_record_without_what_may_be_secret() -> None:
    user, client = clerk()

    client.post(address(Connector, "add"), asked())

    connector = Connector.objects.get()
    (entry,) = configured()
    assert connector.secret == "env:DEPLOY_SECRET"
    assert entry.actor == {"kind": "user", "id": str(user.public_id)}
    assert entry.body == {
        "sentence": "Connector “Deployer” added",
        "object": "connector",
        "id": str(connector.pk),
        "old": {},
        "new": {
            "name": "Deployer",
            "kind": "webhook",
            "config": {"url": "ci.example.test:443/…"},
            "secret": "set",
            "deadline_seconds": 120,
            "max_parallel": 4,
            "enabled": True,
        },
    }


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"config": '{"url": }'}, "Line 1, column 9"),
        ({"config": "[1]"}, "Write a JSON object"),
        ({"config": '{"url": "https://evil.test/"}'}, "evil.test:443 is not in LASTGOOD_OUTBOUND_HOSTS"),
        ({"config": '{"uri": "x"}'}, "There is no setting &#x27;uri&#x27; here"),
        ({"config": '{"a": "\\u0000"}'}, "Text in the log may hold no NUL"),
        ({"config": '{"a": 1.5}'}, "The log does not write a float."),
        ({"config": '{"a": ' + "9" * 5000 + "}"}, "This cannot be read as JSON."),
        ({"config": "[" * 19_000}, "This cannot be read as JSON."),
        ({"config": " " * 20_001}, "This is longer than 20000 characters."),
        ({"kind": "command", "config": '{"command": "rm"}'}, "is not in LASTGOOD_COMMANDS"),
        ({"secret": ""}, "A webhook is signed"),
        ({"secret": "whsec_aVeryRealSecret"}, "never the secret itself"),
        ({"deadline_seconds": "0"}, "greater than or equal to 1"),
        ({"max_parallel": "0"}, "greater than or equal to 1"),
        ({"kind": "github", "config": '{"repository": "app"}'}, "workflow must be set."),
        ({"kind": "github", "config": GITHUB, "secret": ""}, "GitHub needs a token"),
        ({"kind": "telepathy"}, "Select a valid choice."),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_in_words(changes: dict[str, str], sentence: str) -> None:
    _, client = clerk()

    page = client.post(address(Connector, "add"), asked(**changes)).content.decode()

    assert sentence in page
    assert "aVeryRealSecret" not in page
    assert Connector.objects.count() == 0
    assert configured() == []


def test_a_secret_is_kept_when_nothing_is_typed_replaced_or_forgotten_and_never_shown() -> None:
    _, client = clerk()
    client.post(address(Connector, "add"), asked())
    url = address(Connector.objects.get(), "change")

    page = client.get(url).content.decode()
    client.post(url, asked(secret="", deadline_seconds="60"))
    kept = Connector.objects.get().secret
    client.post(url, asked(secret="env:OTHER_SECRET", deadline_seconds="60"))
    replaced = Connector.objects.get().secret
    client.post(url, asked(secret="", deadline_seconds="60", forget_secret="on", enabled=""))

    assert "DEPLOY_SECRET" not in page
    assert (kept, replaced, Connector.objects.get().secret) == ("env:DEPLOY_SECRET", "env:OTHER_SECRET", "")
    changes = [(entry.body["sentence"], entry.body["old"], entry.body["new"]) for entry in configured()[1:]]
    assert changes == [
        ("Connector “Deployer” changed: deadline seconds", {"deadline_seconds": 120}, {"deadline_seconds": 60}),
        ("Connector “Deployer” changed: secret", {"secret": "set"}, {"secret": "changed"}),
        (
            "Connector “Deployer” changed: secret, enabled",
            {"secret": "set", "enabled": True},
            {"secret": "", "enabled": False},
        ),
    ]
    assert "OTHER_SECRET" not in json.dumps([entry.body for entry in configured()])


def test_a_changed_path_is_on_record_as_changed() -> None:
    _, client = clerk()
    client.post(address(Connector, "add"), asked())

    moved = asked(secret="", config='{"url": "https://ci.example.test/hooks/another"}')
    client.post(address(Connector.objects.get(), "change"), moved)

    entry = configured()[-1]
    assert (entry.body["old"], entry.body["new"]) == (
        {"config": {"url": "ci.example.test:443/…"}},
        {"config": "changed"},
    )


def test_a_save_that_changes_nothing_leaves_no_entry() -> None:
    _, client = clerk()
    client.post(address(Connector, "add"), asked())
    url = address(Connector.objects.get(), "change")

    client.post(url, filled(client, url))

    assert len(configured()) == 1


def test_what_the_operator_took_away_can_still_be_switched_off(settings: Any) -> None:
    _, client = clerk()
    client.post(address(Connector, "add"), asked())
    settings.OUTBOUND_HOSTS = []
    url = address(Connector.objects.get(), "change")

    client.post(url, asked(name="Renamed", secret=""))
    still_on = Connector.objects.get()
    page = client.post(url, asked(secret="", enabled=""), follow=True).content.decode()

    assert (still_on.name, still_on.enabled) == ("Deployer", True)
    assert Connector.objects.get().enabled is False
    assert "Saved, but switched off: ci.example.test:443 is not in LASTGOOD_OUTBOUND_HOSTS" in page


TYPED = "https://ci.example.test/hooks?team=ops&access_token=s3cr3t"


@pytest.mark.parametrize("enabled", ["on", ""])
@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (TYPED, "“access_token” in the address looks like a secret. A webhook's secret only signs"),
        ("https://me:s3cr3t@ci.example.test/", "The address holds a user name or password. A webhook's secret"),
    ],
)
def test_a_credential_in_an_address_is_refused_even_switched_off(enabled: str, url: str, sentence: str) -> None:
    _, client = clerk()

    page = client.post(address(Connector, "add"), asked(config=json.dumps({"url": url}), enabled=enabled))

    assert sentence in html.unescape(page.content.decode())
    assert Connector.objects.count() == 0


def test_one_that_was_typed_before_is_masked_and_stays_until_it_is_replaced() -> None:
    _, client = clerk()
    fields = {"name": "Deployer", "kind": "webhook", "secret": "env:DEPLOY_SECRET"}
    connector = Connector.objects.create(**fields, config={"url": TYPED})
    url = address(connector, "change")

    shown = client.get(url).content.decode()
    still_on = client.post(url, filled(client, url, deadline_seconds="60"), follow=True).content.decode()
    on = Connector.objects.get()
    sent = filled(client, url, deadline_seconds="120")
    del sent["enabled"]
    client.post(url, sent)
    off = Connector.objects.get()
    client.post(url, asked(config='{"url": "https://ci.example.test/hooks"}'))

    assert "s3cr3t" not in shown
    assert "access_token=[masked]" in shown
    assert "Saved as it was before: “access_token” in the address looks like a secret" in still_on
    assert (on.enabled, on.config, on.deadline_seconds) == (True, {"url": TYPED}, 60)
    assert (off.enabled, off.config, off.deadline_seconds) == (False, {"url": TYPED}, 120)
    assert Connector.objects.get().config == {"url": "https://ci.example.test/hooks"}


@pytest.mark.parametrize("last", ["change", "delete"])
@pytest.mark.parametrize("model", [Connector, Wiring])
def test_what_takes_a_credential_out_leaves_it_in_no_log(model: type[Any], last: str) -> None:
    _, client = clerk()
    bad = {"ref": "main", "values": {"next": TYPED, "all": "https://me:s3cr3t@x.test/"}}
    row = Connector.objects.create(name="CI", kind="github", secret="env:T", config={**json.loads(GITHUB), **bad})
    if model is Wiring:
        row = Wiring.objects.create(
            product=ProductFactory(), key="3a-redeploy", connector=row, arguments={"next": TYPED}, target_key="a"
        )
    url = address(row, last)

    if last == "delete":
        client.post(url, {"post": "yes"})
    else:
        client.post(url, filled(client, url, **{"config" if model is Connector else "arguments": GITHUB}))

    [entry] = configured()
    assert "access_token=[masked]" in json.dumps(entry.body["old"])
    assert "s3cr3t" not in json.dumps(entry.body)
    assert "s3cr3t" not in client.get(address(entry, "change")).content.decode()


def test_the_self_test_says_what_check_says(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, client = clerk()
    client.post(address(Connector, "add"), asked())
    connector = Connector.objects.get()
    test = address(connector, "self-test")

    assert client.get(test).status_code == 405
    missing = client.post(test, follow=True).content.decode()
    monkeypatch.setenv("DEPLOY_SECRET", "short")
    short = client.post(test, follow=True).content.decode()
    monkeypatch.setenv("DEPLOY_SECRET", "whsec_" + "QUJD" * 8)
    fine = client.post(test, follow=True).content.decode()
    settings.OUTBOUND_HOSTS = []
    lost = client.post(test, follow=True).content.decode()

    assert "DEPLOY_SECRET is not set in the environment of this process; the worker needs it as well." in missing
    assert "The signing secret must be whsec_" in short
    assert "“Deployer” is configured as it should be. Nothing was sent." in fine
    assert "example.test:443 is not in LASTGOOD_OUTBOUND_HOSTS; the operator has to add it there." in lost
    assert len(configured()) == 1


def test_the_page_shows_an_example_of_each_kind_that_its_own_check_takes(settings: Any) -> None:
    _, client = clerk()
    settings.OUTBOUND_HOSTS = ["*.example.org", "api.github.com"]
    settings.COMMANDS = {"roll-back": {"argv": ["/bin/echo"]}}

    page = html.unescape(client.get(address(Connector, "add")).content.decode())

    for kind, (config, sentence) in EXAMPLES.items():
        assert json.dumps(config, indent=2, ensure_ascii=False) in page
        assert sentence in page
        assert problems_of(kind, config, "env:ANY") == []
    assert set(EXAMPLES) == set(ConnectorKind)


@pytest.mark.parametrize("asked_by", ["page", "command"])
def test_a_ci_system_is_asked_and_each_finding_is_shown(
    asked_by: str, settings: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, client = clerk()
    monkeypatch.setenv("CI_TOKEN", TOKEN)
    with closing(GitHub()) as stub:
        settings.OUTBOUND_HOSTS = settings.OUTBOUND_PRIVATE_HOSTS = [stub.url.removeprefix("http://")]
        row = make("github", **GITHUB_CASE.config | {"url": stub.url})
        Connector.objects.update(secret="env:CI_TOKEN")
        stub.state = "disabled_manually"
        if asked_by == "page":
            shown = html.unescape(client.post(address(row, "self-test"), follow=True).content.decode())
        else:
            with pytest.raises(SystemExit, match="1"):
                call_command("connector", "test", row.name)
            shown = capsys.readouterr().out
            assert shown.startswith("ok   The token sees the repository.\n")
            assert "\nFAIL The workflow is switched off (disabled_manually).\n" in shown

    assert "The token sees the repository." in shown
    assert "The workflow is switched off (disabled_manually)." in shown
    assert TOKEN not in shown
    assert {heard.method for heard in stub.heard} == {"GET"}


def test_the_command_knows_its_connectors() -> None:
    make("manual")

    with pytest.raises(CommandError, match=r"^There is no connector “Nobody”\. There is: The manual\.$"):
        call_command("connector", "test", "Nobody")


def test_the_command_is_content_with_what_works(capsys: pytest.CaptureFixture[str]) -> None:
    make("manual")

    call_command("connector", "test", "The manual")

    assert capsys.readouterr().out == "ok   “The manual” is configured as it should be. Nothing was sent.\n"


def make(kind: str, **config: Any) -> Connector:
    return Connector.objects.create(name=f"The {kind}", kind=kind, config=config)


def wired(**fields: Any) -> dict[str, Any]:
    return {"product": ProductFactory().pk, "arguments": "{}", "target_key": "", **fields}


def test_wiring_offers_the_actions_and_gates_of_the_current_runbook() -> None:
    _, client = clerk()

    page = client.get(address(Wiring, "add")).content.decode()

    assert '<optgroup label="Actions">' in page
    assert "3a-redeploy · Redeploy control plane and workers to the target" in page
    assert "health · Service health" in page


def test_a_wiring_is_made_changed_and_removed_on_record() -> None:
    _, client = clerk()
    connector = make("command", command="echo")
    fields = wired(key="3a-redeploy", connector=connector.pk, arguments='{"target": "abc"}')

    client.post(address(Wiring, "add"), fields)
    wiring = Wiring.objects.get()
    client.post(address(wiring, "change"), {**fields, "target_key": "cluster"})
    client.post(address(wiring, "delete"), {"post": "yes"})

    assert Wiring.objects.count() == 0
    row = {"product": wiring.product.slug, "key": "3a-redeploy", "connector": str(connector.pk)}
    row |= {"arguments": {"target": "abc"}}
    assert [(entry.body["old"], entry.body["new"]) for entry in configured()] == [
        ({}, {**row, "target_key": ""}),
        ({"target_key": ""}, {"target_key": "cluster"}),
        ({**row, "target_key": "cluster"}, {}),
    ]
    assert configured()[-1].body["sentence"] == f"Wiring “{wiring}” deleted"


@pytest.mark.parametrize(
    ("kind", "key", "arguments", "sentence"),
    [
        ("probe", "3a-redeploy", "{}", "An action is not done by a probe"),
        ("webhook", "health", "{}", "A gate is checked by a probe or a command"),
        ("command", "3a-redeploy", '{"target": "no spaces!"}', "does not have the form that the settings ask for"),
        ("command", "3a-redeploy", '{"colour": "red"}', "echo has no argument"),
        ("command", "3a-redeploy", '{"target": 1}', "Every argument is a text."),
        (
            "github",
            "3a-redeploy",
            '{"hook": "https://x.test/?token=s3cr3t"}',
            "“token” in the address looks like a secret",
        ),
        ("command", "boredom", "{}", "Select a valid choice."),
        ("github", "health", "{}", "A gate is checked by a probe or a command"),
        ("github", "3a-redeploy", '{"revision": "other"}', "The argument “revision” is fixed by the connector."),
    ],
)
def test_a_wiring_that_cannot_work_is_refused(kind: str, key: str, arguments: str, sentence: str) -> None:
    _, client = clerk()
    configs = {"command": {"command": "echo"}, "github": GITHUB_CASE.config}
    connector = make(kind, **configs.get(kind, {}))

    page = client.post(address(Wiring, "add"), wired(key=key, connector=connector.pk, arguments=arguments))

    assert sentence in page.content.decode()
    assert Wiring.objects.count() == 0


def test_a_connector_in_use_is_not_deleted() -> None:
    _, client = clerk()
    connector = make("manual")
    Wiring.objects.create(product=ProductFactory(), key="3a-redeploy", connector=connector)

    page = client.post(address(connector, "delete"), {"post": "yes"})

    assert "would require deleting the following protected related objects" in page.content.decode()
    assert Connector.objects.count() == 1
    assert configured() == []
