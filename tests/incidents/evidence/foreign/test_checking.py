"""A good log is intact in whatever order its file lists it; each single fault is told as what it is, and no other."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.evidence.foreign import DIALECTS, Code, Mode, Unreadable, Verdict, check
from tests.incidents.evidence.foreign.writing import WRITERS, Entry, content, prefixed, sealed, sha256, v1

LENGTH = 7
dialects = st.sampled_from(sorted(WRITERS))


def verdict(entries: list[Entry], mode: Mode = Mode.WHOLE, anchor: str = "") -> Verdict:
    return check(io.BytesIO(json.dumps(entries).encode()), mode, anchor)


def told(found: Verdict) -> list[tuple[str, tuple[str, ...]]]:
    return [(str(finding.code), finding.ids) for finding in found.findings]


def sentences(found: Verdict) -> list[str]:
    return [finding.sentence for finding in found.findings]


# Good logs ------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(dialects, st.integers(1, 12), st.randoms())
def test_a_good_log_is_intact_in_any_order(dialect: str, length: int, random: Any) -> None:
    entries = WRITERS[dialect](length)
    last = entries[-1]
    random.shuffle(entries)

    found = verdict(entries)

    assert (found.code, found.dialect.key, found.entries, found.fragments, found.ends) == (
        Code.INTACT,
        dialect,
        length,
        1,
        1,
    )
    assert (found.head, found.head_id) == (last[found.dialect.hash], last["evidenceId"])
    assert (found.findings, found.counts, found.is_intact) == ((), {}, True)


def test_the_known_hashes_of_portarium_are_met() -> None:
    """The chain of its own unit test, and its canonical seed."""
    chain: list[Entry] = []
    for number, summary in enumerate(("first", "second", "third")):
        entry = {
            "schemaVersion": 1,
            "evidenceId": f"ev-{number + 1}",
            "workspaceId": "ws-1",
            "correlationId": "corr-1",
            "occurredAtIso": f"2026-02-16T00:00:0{number}.000Z",
            "category": "System",
            "summary": summary,
            "actor": {"kind": "System"},
        }
        chain.append(sealed(entry, chain[-1]["hashSha256"] if chain else None))
    seed = {
        "schemaVersion": 1,
        "evidenceId": "evi-seed-1",
        "workspaceId": "ws-seed-1",
        "correlationId": "corr-seed-1",
        "occurredAtIso": "2026-02-20T00:02:02.000Z",
        "category": "Action",
        "summary": "Seed evidence entry",
        "actor": {"kind": "User", "userId": "user-seed-1"},
        "links": {
            "runId": "run-seed-1",
            "planId": "plan-seed-1",
            "workItemId": "wi-seed-1",
            "externalRefs": [
                {
                    "sorName": "jira",
                    "portFamily": "ProjectsWorkMgmt",
                    "externalId": "PROJ-SEED-1",
                    "externalType": "Issue",
                    "displayLabel": "PROJ-SEED-1",
                    "deepLinkUrl": "https://jira.example.com/browse/PROJ-SEED-1",
                }
            ],
        },
        "payloadRefs": [{"kind": "Snapshot", "uri": "evidence://snapshots/seed.json"}],
    }
    known = {
        "b1d4f7fc357ef2923eca7fcfb8efc2d013f1f57acef9e2708d81b1bb7ea76aea": chain,
        "eeed7c4a6078e5683aace48f6c6e17995c0d2a7802e7a0253dd48544267c9316": [seed | {"hashSha256": "0" * 64}],
    }
    seed["hashSha256"] = "eeed7c4a6078e5683aace48f6c6e17995c0d2a7802e7a0253dd48544267c9316"
    known[seed["hashSha256"]] = [seed]

    assert {head: (verdict(entries).code, verdict(entries).head) for head, entries in known.items()} == {
        head: (Code.INTACT, head) for head in known
    }


def test_a_chain_that_an_experiment_committed_is_intact() -> None:
    rows = [
        ("01", "plan-before-interruption", "00:00:00.000", "Plan and evidence packet existed before interruption"),
        (
            "02",
            "approval-pending-during-interruption",
            "00:02:00.000",
            "Approval Gate was pending while the agent or service was unavailable",
        ),
        ("03", "recovered-state-visible", "00:45:00.000", "Cockpit shows degraded recovery state"),
        ("04", "after-governed-resume", "01:05:01.250", "Agent resumed once after Approval Gate decision"),
    ]
    hashes = [
        "f6a157da895a6310d19b2a29a8503a42c662f26314d6ef34d9e2d83c806b811c",
        "94c1d69991d08afa75417ac4996c841b5bd3c195b249622c811fc6534dfe1f94",
        "b1a90c9dec11f69cbe0d0689630e9a7510f7b396b490f7b0fe08976426551c9d",
        "3fc3220c02fdc66aea3daa0acd5798849566888ecf00578c9717769921d75c21",
    ]
    entries = [
        {
            "evidenceId": f"process-crash-ev-{number}",
            "phase": phase,
            "atIso": f"2026-04-30T{time}Z",
            "summary": summary,
            "previousHash": before,
            "hash": own,
        }
        for (number, phase, time, summary), before, own in zip(rows, ["genesis", *hashes], hashes, strict=False)
    ]

    found = verdict(entries)

    assert (found.code, found.dialect.key, found.head) == (Code.INTACT, "portarium-experiment", hashes[-1])


def test_numbers_astral_keys_and_half_characters_are_hashed_as_javascript_does() -> None:
    """The canonical text is what Node writes of this entry, key by key."""
    text = (
        '{"schemaVersion":1.0,"evidenceId":"evi-1","workspaceId":"ws","correlationId":"c","category":"System",'
        '"occurredAtIso":"2026-02-16T00:00:00.000Z","summary":"\\ud83d half","actor":{"kind":"System"},'
        '"x":{"\\ufb33":1e21,"\\ud83d\\ude00":-0,"n":[0.1,1E-7,9007199254740993,100.50]}'
    )
    canonical = (
        '{"actor":{"kind":"System"},"category":"System","correlationId":"c","evidenceId":"evi-1",'
        '"occurredAtIso":"2026-02-16T00:00:00.000Z","schemaVersion":1,"summary":"\\ud83d half","workspaceId":"ws",'
        '"x":{"n":[0.1,1e-7,9007199254740992,100.5],"\U0001f600":0,"\ufb33":1e+21}}'
    )

    found = check(io.BytesIO(f'{text},"hashSha256":"{sha256(canonical)}"}}'.encode()))

    assert (found.code, found.findings) == (Code.INTACT, ())


def test_keys_that_look_like_numbers_may_be_hashed_in_either_order() -> None:
    entry = content(0) | {"x": {"10": 1, "9": 2}}
    other_order = json.dumps(content(0) | {"x": 0}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    by_number = other_order.replace('"x":0', '"x":{"9":2,"10":1}')

    for digest in (sealed(entry, None)["hashSha256"], sha256(by_number)):
        assert verdict([entry | {"hashSha256": digest}]).code == Code.INTACT


def test_a_signature_is_outside_of_the_hash_and_told_as_unchecked() -> None:
    entries = [entry | {"signatureBase64": "c2ln"} for entry in v1(3)]

    found = verdict(entries)

    assert found.code == Code.INTACT
    assert found.notes == ("3 entries carry a signature. No log names its key, so signatures were not checked.",)


# One fault ------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(dialects, st.integers(0, LENGTH - 1), st.randoms(), st.data())
def test_a_changed_content_is_tamper(dialect: str, place: int, random: Any, data: Any) -> None:
    entries = WRITERS[dialect](LENGTH)
    changed = entries[place]
    hashed = ["summary", DIALECTS[dialect].time, "previousHash"]
    name = data.draw(st.sampled_from(hashed + (["category"] if "category" in changed else [])))
    entries[place] = changed | {name: f"{changed.get(name, '')}0"}
    random.shuffle(entries)

    found = verdict(entries)

    assert (found.code, told(found)) == (Code.TAMPERED, [("tampered", (changed["evidenceId"],))])


@settings(deadline=None)
@given(dialects, st.integers(0, LENGTH - 1), st.randoms())
def test_a_changed_hash_is_tamper_and_told_from_a_changed_content(dialect: str, place: int, random: Any) -> None:
    entries = WRITERS[dialect](LENGTH)
    field = DIALECTS[dialect].hash
    identity = entries[place]["evidenceId"]
    entries[place] |= {field: DIALECTS[dialect].prefix + "0" * 64}
    random.shuffle(entries)

    found = verdict(entries)

    assert told(found) == [("tampered", (identity,))]
    assert ("The hash of" in sentences(found)[0]) == (place < LENGTH - 1)


@settings(deadline=None)
@given(st.sampled_from(["portarium-v1", "portarium-v1-prefixed"]), st.integers(1, LENGTH - 1))
def test_a_link_that_was_taken_out_is_tamper_and_no_second_beginning(dialect: str, place: int) -> None:
    entries = WRITERS[dialect](LENGTH)
    del entries[place]["previousHash"]

    assert told(verdict(entries)) == [("tampered", (entries[place]["evidenceId"],))]


@settings(deadline=None)
@given(dialects, st.integers(1, LENGTH - 2), st.randoms())
def test_a_deleted_entry_is_a_missing_predecessor(dialect: str, place: int, random: Any) -> None:
    entries = WRITERS[dialect](LENGTH)
    after = entries[place + 1]["evidenceId"]
    del entries[place]
    random.shuffle(entries)

    found = verdict(entries)

    assert told(found) == [("missing_predecessor", (after,))]
    assert (found.fragments, found.not_contained) == (2, 1)


def test_a_replaced_entry_with_a_hash_of_its_own_is_missed_by_the_next() -> None:
    entries = v1(4)
    entries[1] = sealed(content(1) | {"summary": "Nothing happened"}, entries[0]["hashSha256"])

    assert told(verdict(entries)) == [("missing_predecessor", ("evi-0002",))]


@settings(deadline=None)
@given(st.integers(0, LENGTH - 2), st.booleans(), st.randoms())
def test_two_entries_after_one_are_a_fork_and_no_tamper(place: int, at_once: bool, random: Any) -> None:
    entries = v1(LENGTH)
    rival = content(place + 1) | {"evidenceId": "evi-rival", "summary": "At the same moment"}
    if not at_once:
        rival["occurredAtIso"] = content(place + 2)["occurredAtIso"]
    entries.append(sealed(rival, entries[place]["hashSha256"]))
    random.shuffle(entries)

    found = verdict(entries)

    assert (found.code, found.counts, found.ends) == (Code.FORK, {Code.FORK: 1}, 2)
    assert set(found.findings[0].ids) == {f"evi-{place + 1:04d}", "evi-rival"}
    assert ("in one millisecond" in sentences(found)[0]) == at_once


def test_the_head_of_a_forked_log_is_the_end_of_its_longest_way() -> None:
    entries = v1(5)
    entries.append(sealed(content(9), entries[1]["hashSha256"]))

    assert (verdict(entries).head_id, verdict(entries).ends) == ("evi-0004", 2)


@settings(deadline=None)
@given(dialects, st.randoms())
def test_a_second_beginning_is_told(dialect: str, random: Any) -> None:
    entries = WRITERS[dialect](3)
    other = WRITERS[dialect](5)[0]
    name = "summary"
    fresh = {**other, "evidenceId": "evi-first", name: "Begun again"}
    entries.append(resealed(dialect, fresh))
    random.shuffle(entries)

    found = verdict(entries)

    assert (found.code, found.counts, found.fragments) == (Code.SECOND_GENESIS, {Code.SECOND_GENESIS: 1}, 2)
    assert set(found.findings[0].ids) == {"evi-0000", "evi-first"}


def resealed(dialect: str, entry: Entry) -> Entry:
    """The entry with the hash that the dialect gives it; of the product, whose hashes the other tests check."""
    return entry | {DIALECTS[dialect].hash: DIALECTS[dialect].hash_of(entry)}


def test_a_late_entry_is_a_regression_of_time() -> None:
    entries = v1(3)
    entries.append(sealed(content(1) | {"evidenceId": "evi-late"}, entries[-1]["hashSha256"]))

    found = verdict(entries)

    assert told(found) == [("time_regression", ("evi-late", "evi-0002"))]
    assert sentences(found) == ["“evi-late” (2026-02-16T00:00:00.007Z) follows “evi-0002” (2026-02-16T00:00:00.014Z)."]


def test_equal_times_are_fine() -> None:
    first = sealed(content(1), None)
    second = sealed(content(1) | {"evidenceId": "evi-twin"}, first["hashSha256"])

    assert verdict([second, first]).code == Code.INTACT


@settings(deadline=None)
@given(dialects, st.integers(0, LENGTH - 1), st.randoms())
def test_an_entry_repeated_word_for_word_is_a_duplicate_and_no_fork(dialect: str, place: int, random: Any) -> None:
    entries = WRITERS[dialect](LENGTH)
    entries.append(entries[place])
    random.shuffle(entries)

    found = verdict(entries)

    assert told(found) == [("duplicate_id", (f"evi-{place:04d}",))]
    assert sentences(found) == [f"“evi-{place:04d}” stands in the file again, word for word."]
    assert (found.entries, found.ends) == (LENGTH + 1, 1)


def test_two_entries_of_one_id_are_a_duplicate_of_another_sort() -> None:
    entries = v1(3)
    entries.append(sealed(content(3) | {"evidenceId": "evi-0001"}, entries[-1]["hashSha256"]))

    found = verdict(entries)

    assert told(found) == [("duplicate_id", ("evi-0001",))]
    assert sentences(found) == ["Two different entries bear the id “evi-0001”."]


def test_a_log_without_its_beginning_is_a_part() -> None:
    found = verdict(v1(6)[2:])

    assert (found.code, told(found)) == (Code.SUBSET, [("subset", ("evi-0002",))])


def test_what_a_filter_by_run_leaves_is_a_part_and_not_called_deleted() -> None:
    for run in ("run-0", "run-1"):
        entries = [entry for entry in v1(12) if entry["links"]["runId"] == run]

        found = verdict(entries)

        assert (found.code, found.counts) == (Code.SUBSET, {Code.SUBSET: 1}), run
    assert verdict([entry for entry in v1(12) if entry["links"]["runId"] == "run-0"]).findings[0].sentence == (
        "Every entry is of the run “run-0”, and in 3 places the one before is not in the file."
    )


def test_a_page_that_is_not_the_last_is_a_part() -> None:
    page = {"items": v1(4), "nextCursor": "evi-0003"}

    found = check(io.BytesIO(json.dumps(page).encode()))

    assert (found.code, sentences(found)) == (
        Code.SUBSET,
        ["The last page names a next one, and that is not in the file."],
    )


def test_an_incomplete_entry_is_told_though_its_hash_holds() -> None:
    entry = {name: value for name, value in content(0).items() if name != "correlationId"}

    found = verdict([sealed(entry, None), *v1(2)[1:1]])

    assert (found.code, sentences(found)) == (Code.MALFORMED, ["Entry “evi-0000”: lacks correlationId."])


def test_a_key_given_twice_is_told() -> None:
    raw = json.dumps(v1(1)[0]).replace('"category"', '"category": "Plan", "category"')

    found = check(io.BytesIO(raw.encode()))

    assert (found.code, sentences(found)) == (
        Code.MALFORMED,
        ["Entry “evi-0000”: names a key twice, so that two readers may see two values."],
    )


def test_an_empty_previous_hash_on_a_first_entry_is_told() -> None:
    first = content(0) | {"previousHash": None}

    found = verdict([resealed("portarium-v1", first)])

    assert (found.code, found.fragments, found.not_contained) == (Code.MALFORMED, 1, 0)


def test_an_entry_hashed_in_another_dialect_is_told_by_its_name() -> None:
    entries = v1(3)
    entries.append(sealed(content(3), entries[-1]["hashSha256"], "sha256:"))
    entries.append(sealed(content(4), entries[-1]["hashSha256"]))

    found = verdict(entries)

    assert (found.dialect.key, told(found)) == ("portarium-v1", [("mixed_dialect", ("evi-0003",))])


def test_a_number_that_no_hash_covers_is_tamper() -> None:
    raw = json.dumps(v1(1)[0]).replace('"schemaVersion": 1', '"schemaVersion": 1e999')

    assert check(io.BytesIO(raw.encode())).code == Code.TAMPERED


def test_the_gravest_of_several_faults_is_the_verdict() -> None:
    entries = v1(9)
    entries[2] |= {"summary": "Other"}
    del entries[5]
    entries.append(entries[0])

    found = verdict(entries)

    assert found.code == Code.TAMPERED
    assert told(found) == [
        ("tampered", ("evi-0002",)),
        ("missing_predecessor", ("evi-0006",)),
        ("duplicate_id", ("evi-0000",)),
    ]


def test_many_faults_are_counted_and_only_the_first_are_kept() -> None:
    entries = [entry | {"summary": "Other"} for entry in v1(300)]

    found = verdict(entries)

    assert (found.counts, len(found.findings)) == ({Code.TAMPERED: 300}, 50)


def test_invented_hashes_are_all_tamper() -> None:
    entries = [content(n) | {"hashSha256": f"{n}" * 64} for n in range(3)]

    assert verdict(entries).counts == {Code.TAMPERED: 3}


# Parts and anchors ----------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(dialects, st.integers(0, 5), st.integers(1, 6), st.randoms())
def test_a_part_is_intact_as_a_part(dialect: str, begin: int, length: int, random: Any) -> None:
    entries = WRITERS[dialect](12)[begin : begin + length]
    anchor = entries[0].get("previousHash", "") if begin else ""
    random.shuffle(entries)

    found = verdict(entries, Mode.SEGMENT, anchor)

    assert (found.code, found.findings, found.anchor) == (Code.SEGMENT_INTACT, (), anchor)


def test_a_filtered_part_says_in_how_many_places_it_is_open() -> None:
    entries = [entry for entry in v1(12) if entry["links"]["runId"] == "run-1"]

    found = verdict(entries, Mode.SEGMENT)

    assert (found.code, found.fragments, found.not_contained) == (Code.SEGMENT_INTACT, 4, 4)
    assert found.notes == ("In 4 places the entry before is not contained, as is usual for a part.",)


@pytest.mark.parametrize("mode", list(Mode))
def test_a_known_hash_that_is_not_there_is_told(mode: Mode) -> None:
    found = verdict(v1(4), mode, "ab" * 32)

    assert (found.code, told(found)) == (Code.ANCHOR_MISSING, [("anchor_missing", ())])


def test_a_log_that_was_cut_off_at_its_end_is_found_by_its_known_head() -> None:
    entries = v1(6)
    head = entries[-1]["hashSha256"]

    assert verdict(entries, anchor=head).code == Code.INTACT
    assert verdict(entries[:-1]).code == Code.INTACT
    assert verdict(entries[:-1], anchor=head).code == Code.ANCHOR_MISSING


def test_what_is_known_of_the_anchor_is_told() -> None:
    entries = v1(6)

    assert verdict(entries, anchor=entries[-1]["hashSha256"]).notes == (
        "The hash you know is that of “evi-0005”, the last entry.",
    )
    assert verdict(entries, anchor=f" {entries[1]['hashSha256'].upper()} ").notes == (
        "The hash you know is that of “evi-0001”: 4 entries follow it.",
    )


def test_an_anchor_may_be_given_with_or_without_its_prefix() -> None:
    entries = prefixed(3)
    bare = entries[-1]["hashSha256"].removeprefix("sha256:")

    assert verdict(entries, anchor=bare).anchor == verdict(entries, anchor=f"sha256:{bare}").anchor == f"sha256:{bare}"


def test_the_anchor_of_a_changed_entry_is_no_anchor() -> None:
    entries = v1(3)
    entries[1] |= {"summary": "Other"}

    assert verdict(entries, anchor=entries[1]["hashSha256"]).counts == {Code.TAMPERED: 1, Code.ANCHOR_MISSING: 1}


# What else is said ----------------------------------------------------------------------------------------------------


def test_it_says_what_the_file_is_about() -> None:
    raw = json.dumps({"items": v1(7)}).encode()

    found = check(io.BytesIO(raw))

    assert (found.sha256, found.size) == (sha256(raw.decode()), len(raw))
    assert (found.workspaces, found.runs) == (("ws-acme",), {"run-0": 3, "run-1": 2, "run-2": 2})
    assert (found.head_time, found.shape.words) == (content(6)["occurredAtIso"], "pages of an answer")


def test_another_order_and_several_workspaces_are_notes() -> None:
    entries = v1(2)
    entries.append(sealed(content(2) | {"workspaceId": "ws-other"}, entries[-1]["hashSha256"]))

    assert verdict(entries[::-1]).notes == (
        "The file lists the entries in another order. The order of the log was rebuilt from its hashes.",
        "The entries are of 2 workspaces: “ws-other” and “ws-acme”. Each has a log of its own.",
    )


def test_an_id_that_no_page_could_show_is_shown_with_care() -> None:
    entries = [sealed(content(0) | {"evidenceId": "a\x1b[31m\u202eb" + "x" * 200, "category": ""}, None)]

    assert verdict(entries).findings[0].ids == ("a\ufffd[31m\ufffdb" + "x" * 111 + "…",)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "The file holds no entries."),
        (b'{"items": []}', "The file holds no entries."),
        (b'[{"a": 1}]', "No dialect is known for this log: an entry has a hash in hashSha256 or hash, and its time."),
        (
            b'{"at":"2026","entry":{},"hash":"00","prev":"00","seq":1}',
            "This is a log of this portal, not a foreign one: its evidence page verifies it.",
        ),
    ],
)
def test_what_is_no_foreign_log_is_a_sentence(raw: bytes, sentence: str) -> None:
    with pytest.raises(Unreadable) as refused:
        check(io.BytesIO(raw))

    assert str(refused.value) == sentence


def test_changed_entries_that_name_each_other_in_a_circle_are_tamper() -> None:
    entries = v1(3)
    entries[0]["previousHash"] = entries[2]["hashSha256"]

    found = verdict(entries)

    assert (found.fragments, told(found)) == (0, [("tampered", ("evi-0000",))])


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_whatever_is_done_to_a_log_it_is_never_called_intact(data: Any) -> None:
    """Several random faults at once; only an undone change may leave it whole."""
    good = WRITERS[data.draw(dialects)](LENGTH)
    entries = [dict(entry) for entry in good]
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(entries) - 1))
        name = data.draw(st.sampled_from(["summary", "previousHash", "hashSha256", "hash", "occurredAtIso", "atIso"]))
        other = entries[data.draw(st.integers(0, len(entries) - 1))]
        entries[place][name] = data.draw(st.sampled_from([other.get(name), "x", None, 5, "a" * 64, {"a": []}]))

    try:
        found = verdict(entries)
    except Unreadable:
        return
    assert found.is_intact == (entries == good or all_hold(entries, good, found))


def all_hold(entries: list[Entry], good: list[Entry], found: Verdict) -> bool:
    """Whether what was changed lies outside of what the dialect hashes."""
    hashed = {"summary", "previousHash", found.dialect.hash, found.dialect.time}
    changed = {
        name for old, new in zip(good, entries, strict=True) for name in {*old, *new} if old.get(name) != new.get(name)
    }
    return found.dialect.key == "portarium-approval-experiment" and not changed & hashed
