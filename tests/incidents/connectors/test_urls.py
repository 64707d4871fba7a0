"""The allow-list, and one strict reading of URLs."""

import pytest

from incidents.connectors.addresses import Reach
from incidents.connectors.base import Limits
from incidents.connectors.urls import Url, parse, permitted, problems

LISTED = Limits(
    allowed_hosts=["hooks.example.org", "ci.example.org:8443", "*.deploy.example.org", "[::1]:9000", "127.0.0.1:8000"],
    allow_private_hosts=["ci.example.org:8443"],
    allow_plain_http_hosts=["127.0.0.1:8000"],
)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://Hooks.Example.org", Url("https", "hooks.example.org", 443, "/")),
        ("https://ci.example.org:8443/a/b?c=d", Url("https", "ci.example.org", 8443, "/a/b?c=d")),
        ("https://a.deploy.example.org/x", Url("https", "a.deploy.example.org", 443, "/x")),
        ("https://[::1]:9000/x", Url("https", "::1", 9000, "/x")),
        ("http://127.0.0.1:8000/", Url("http", "127.0.0.1", 8000, "/")),
    ],
)
def test_a_listed_place_is_read_and_allowed(text, url):
    assert (parse(text), problems(text, LISTED)) == (url, [])


@pytest.mark.parametrize(
    "text",
    [
        "https://hooks.example.org:8443/", "https://ci.example.org/", "https://deploy.example.org/",
        "https://evil-deploy.example.org/", "https://hooks.example.org.evil.net/", "https://evilhooks.example.org/",
        "https://127.0.0.1:8001/", "https://[::2]:9000/", "https://1.2.3.4/",
    ],
)  # fmt: skip
def test_a_place_beside_the_list_is_refused_by_name(text):
    (problem,) = problems(text, LISTED)

    assert problem.endswith("is not in LASTGOOD_OUTBOUND_HOSTS; the operator has to add it there.")


def test_without_tls_only_the_places_that_are_listed_for_it():
    open_to_all = Limits(allowed_hosts=["hooks.example.org:80"])

    assert problems("http://hooks.example.org/", open_to_all) == [
        "hooks.example.org:80 may only be reached over https://."
    ]


@pytest.mark.parametrize(
    "text",
    [
        None, 7, "", "hooks.example.org", "//hooks.example.org/", "ftp://hooks.example.org/", "file:///etc/passwd",
        "gopher://hooks.example.org/", "https://", "https:///path", "https://user@hooks.example.org/",
        "https://user:pw@hooks.example.org/", "https://hooks.example.org@evil.net/", "https://@hooks.example.org/",
        "https://hooks.example.org\\@evil.net/", "https://hooks.example.org/a\\b",
        "https://hooks.example.org#@evil.net/", "https://hooks.example.org/#x", "https://hooks.example.org:0/",
        "https://hooks.example.org:/", "https://hooks.example.org:65536/", "https://hooks.example.org:8x/",
        "https://hooks.example.org:-1/", "https://hooks example.org/", "https://hooks.example.org/a b",
        "https://hooks.example.org/\r\nX: y", "https://hooks.example.org/\x00", " https://hooks.example.org/",
        "https://hooks.example.org./", "https://.hooks.example.org/", "https://hooks..example.org/",
        "https://-hooks.example.org/", "https://hooks%2eexample.org/", "https://höoks.example.org/",
        "https://①②⑦.⓪.⓪.①/", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/",
        "https://0177.0.0.1/", "https://0/", "https://127.0.0.1.:8000/", "https://[fe80::1%25eth0]/", "https://[::1/",
        "https://[127.0.0.1]/", "https://[v1.x]/", "https://[::1]x/", "https://" + "a" * 64 + ".example.org/",
        "https://" + "a." * 127 + "aa/", "https://hooks.example.org/" + "a" * 2000,
    ],
)  # fmt: skip
def test_a_url_that_two_readers_could_read_differently_is_refused(text):
    anything = Limits(allowed_hosts=["hooks.example.org", "127.0.0.1", "evil.net", "*.example.org"])

    assert len(problems(text, anything)) == 1


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("https://hooks.example.org/", {Reach.PUBLIC}),
        ("https://ci.example.org:8443/", {Reach.PUBLIC, Reach.PRIVATE, Reach.LOOPBACK}),
        ("http://127.0.0.1:8000/", {Reach.LOOPBACK}),
    ],
)
def test_a_place_may_resolve_only_to_what_its_lists_say(text, kinds):
    assert permitted(parse(text), LISTED) == kinds


def test_a_message_names_the_place_but_never_the_path():
    (problem,) = problems("https://chat.example.org/services/T0/B0/topsecret?token=topsecret", LISTED)

    assert "chat.example.org:443" in problem
    assert "topsecret" not in problem
