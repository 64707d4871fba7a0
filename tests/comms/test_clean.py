"""Text from people: one line stays one line, an address is exactly one mailbox."""

from __future__ import annotations

import pytest

from comms.clean import NotAMailbox, block, mailbox, one_line

BREAKING = [
    "Rollback\r\nBcc: thief@example.org",
    "Rollback\nX-Evil: 1",
    "Rollback\rSubject: other",
    "Rollback\x00after",
    "Rollback\x0b\x0cafter",
    "Rollback\x85after",
    "Rollback\u2028Bcc: a@example.org",
    "Rollback\u2029after",
    "Roll\u202eback",
    "\u2066Rollback\u2069",
    "\ufeffRollback",
    "Roll\ud800back",
    "Rollback\x1b[31m",
]


@pytest.mark.parametrize("text", BREAKING)
def test_a_line_keeps_no_break_no_control_and_no_bidi_mark(text: str) -> None:
    kept = one_line(text)

    assert kept.isprintable()
    assert not set(kept) & set("\u202e\u2066\u2069\ufeff")
    assert kept.startswith("Roll")


def test_a_line_keeps_what_people_write() -> None:
    assert one_line("  Zażółć – 漢字 🙂 C:\\temp <b>  ") == "Zażółć – 漢字 🙂 C:\\temp <b>"


def test_a_block_has_lf_ends_and_one_at_its_end() -> None:
    assert block("\r\nStatus: on.\r\n\r\n- a\x00\u202e  \r- b\u2028c\n\n") == "Status: on.\n\n- a\n- b c\n"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("ops@example.test", "ops@example.test"),
        (" ops+rb@sub.example.test ", "ops+rb@sub.example.test"),
        ("ops@bücher.example", "ops@xn--bcher-kva.example"),
    ],
)
def test_a_mailbox_is_kept_with_its_domain_in_ascii(given: str, kept: str) -> None:
    assert mailbox(given) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ops",
        "@example.test",
        "ops@",
        "a@example.test, b@example.test",
        "a@example.test b@example.test",
        "a@example.test;b@example.test",
        "Ops <ops@example.test>",
        '"a, b@x"@example.test',
        "ops@example.test\r\nBcc: x@example.test",
        "ops\n@example.test",
        "ops(comment)@example.test",
        "ops@exa\x00mple.test",
        "ö@example.test",
        "a" * 65 + "@example.test",
        "ops@" + "a" * 260 + ".test",
    ],
)
def test_what_is_not_exactly_one_mailbox_is_refused(text: str) -> None:
    with pytest.raises(NotAMailbox, match="is not an address"):
        mailbox(text)
