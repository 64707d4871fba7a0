"""The verifier of the bundle: published vectors, every kind of damage, every single byte, every Python."""

from __future__ import annotations

import io
import json
import random
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from incidents.evidence.bundle import verify
from tests.incidents.evidence.bundle.damaged import CONTENTS, KEY, WHOLE, Case, catalogue
from tests.incidents.evidence.bundle.making import linked, mail_with
from tests.incidents.evidence.test_note import LEAVES, ROOTS, SAYING, SIGNED

CASES = catalogue()
SCRIPT = Path(verify.__file__)
# RFC 8032, 7.1: secret key, public key, message, signature.
RFC_8032 = """
9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60
d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a
-
e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24\
655141438e7a100b

4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb
3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c
72
92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee\
b00d291612bb0c00

c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7
fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025
af82
6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d\
c027beceea1ec40a
"""
NEUMANN = verify.read_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
ORDER = 2**252 + 27742317777372353535851937790883648493
PRIME = 2**255 - 19


# Published vectors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", RFC_8032.strip().split("\n\n"), ids=["empty", "one", "two"])
def test_ed25519_is_that_of_rfc_8032(vector: str) -> None:
    secret, known, said, signed = (bytes.fromhex(line.strip("-")) for line in vector.split("\n"))
    key = Ed25519PrivateKey.from_private_bytes(secret)

    assert key.public_key().public_bytes_raw() == known
    assert verify.ed25519_holds(known, said, signed)
    assert not verify.ed25519_holds(known, said + b"x", signed)


def test_the_published_note_opens() -> None:
    assert verify.opened(SIGNED, [NEUMANN]) == (SAYING, NEUMANN)
    assert str(NEUMANN) == "PeterNeumann+c74f20a3"
    with pytest.raises(verify.Fault, match="changed, or forged"):
        verify.opened(SIGNED.replace("cryptography", "Cryptography"), [NEUMANN])


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_rfc_6962(size: int) -> None:
    tree = verify.Tree()
    for leaf in LEAVES[:size]:
        tree.append(bytes.fromhex(leaf))

    assert (tree.size, tree.root().hex()) == (size, ROOTS[size])


# Ed25519 against another implementation -----------------------------------------------------------------------------


def other_holds(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def test_ed25519_agrees_with_another_implementation_on_good_and_corrupted_signatures() -> None:
    chance = random.Random(20261124)
    verdicts = []
    for turn in range(400):
        key = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))
        message = chance.randbytes(chance.randrange(200))
        parts = [bytearray(key.public_key().public_bytes_raw()), bytearray(message), bytearray(key.sign(message))]
        if turn % 4:
            part = parts[(0, 2, 2, 1)[turn % 4]] or parts[2]
            part[chance.randrange(len(part))] ^= 1 << chance.randrange(8)
        public, said, signed = map(bytes, parts)

        verdicts.append(verify.ed25519_holds(public, said, signed))
        assert verdicts[-1] == other_holds(public, said, signed)
    assert verdicts.count(True) == 100


@pytest.mark.parametrize("times", range(1, 8))
def test_a_signature_has_one_form(times: int) -> None:
    """s and s + L sign the same point: only the smaller is a signature."""
    key = Ed25519PrivateKey.from_private_bytes(b"\x05" * 32)
    public, signed = key.public_key().public_bytes_raw(), key.sign(b"said")
    larger = int.from_bytes(signed[32:], "little") + times * ORDER

    assert verify.ed25519_holds(public, b"said", signed)
    assert not verify.ed25519_holds(public, b"said", signed[:32] + larger.to_bytes(32, "little"))


@pytest.mark.parametrize("y", [0, 1, PRIME - 1, PRIME, PRIME + 1, 2**255 - 1])
@pytest.mark.parametrize("sign", [0, 1])
def test_no_key_is_of_small_order_or_in_another_form(y: int, sign: int) -> None:
    """With such a key, a signature of all noughts would fit some message or every one."""
    public = (y | sign << 255).to_bytes(32, "little")
    neutral = (1).to_bytes(32, "little")

    assert not any(verify.ed25519_holds(public, bytes([said]), neutral + bytes(32)) for said in range(16))


# Damage -------------------------------------------------------------------------------------------------------------


def checked(case: Case) -> verify.Check:
    keys = [verify.read_key(key) for key in case.keys]
    return verify.Check(verify.Zip(io.BytesIO(case.content)), list(case.kept.items()), keys).run()


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_damage_has_its_code_and_its_entry(name: str) -> None:
    found = checked(CASES[name])

    assert (found.code, found.broken_at) == (CASES[name].code, CASES[name].broken_at), found.findings


def read(content: bytes) -> verify.Log:
    log = verify.Log()
    log.read(verify.lines([content]))
    return log


def test_every_byte_of_the_log_counts() -> None:
    """Each byte flipped in turn, also line feeds and the frame: found, and at the line that it is in."""
    content, seq = WHOLE.log, 1
    for at, byte in enumerate(content):
        flipped = bytearray(content)
        flipped[at] ^= 1 << (at % 8)

        assert read(bytes(flipped)).broken_at == seq, (at, chr(byte))
        seq += byte == 0x0A
    assert seq == len(CONTENTS) + 1


def test_what_was_cut_rewritten_and_added_is_said_exactly() -> None:
    def said(name: str) -> list[str]:
        return [held.sentence for held in checked(CASES[name]).checkpoints]

    assert said("the end cut off, a mail kept") == [
        "Entries 10 to 12 were cut off: 12 entries were signed, 9 are there."
    ]
    assert said("the end cut off, older notes kept") == ["Entries 1 to 7 are as they were signed; 2 were added since."]
    assert said("beside the first note")[-1] == "Entry 1 is as it was signed; 11 were added since."
    assert said("the last one rewritten") == [
        "Entries 1 to 11 are as they were signed; 1 was added since.",
        "Entries 1 to 11 are as they were signed; entry 12 was rewritten.",
    ]
    assert said("rewritten, notes kept") == [
        "Entries 1 to 7 are as they were signed; 5 were added since.",
        "Entries 1 to 7 are as they were signed; entries 8 to 12 were rewritten.",
    ]
    assert said("something added and signed")[-1] == "Entries 1 to 12 are as they were signed; 1 was added since."


def test_a_log_is_read_the_same_however_it_comes() -> None:
    content = linked(CONTENTS * 40)
    heads = set()
    for size in (1, 7, 1000, len(content)):
        log = verify.Log()
        log.read(verify.lines(content[at : at + size] for at in range(0, len(content), size)))
        heads.add((log.count, log.head, log.tree.root()))

    assert len(heads) == 1
    assert next(iter(heads))[0] == 480


def test_a_line_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "LONGEST_LINE", 1000)

    def endless() -> object:
        while True:
            yield b"x" * 600

    log = verify.Log()
    log.read(verify.lines(endless()))

    assert log.broken_at == 1


# The command --------------------------------------------------------------------------------------------------------


def run(python: str, *arguments: str | Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    script = str(SCRIPT) if folder is None else "verify.py"
    command = [python, "-W", "error", "-B", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", cwd=folder, check=False, timeout=60)


def unpacked(case: Case, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(case.content)) as archive:
        archive.extractall(folder)
    shutil.copy(SCRIPT, folder / "verify.py")
    return folder


def pythons() -> list[str]:
    """Every Python on this machine that the verifier promises to run with."""
    found = {sys.executable}
    for minor in range(9, 20):
        if path := shutil.which(f"python3.{minor}"):
            asked = subprocess.run([path, "-c", "print(1)"], capture_output=True, check=False, timeout=60)
            found |= {path} if asked.returncode == 0 else set()
    return sorted(found)


@pytest.mark.parametrize("python", pythons())
def test_it_runs_with_every_python_from_3_9_on(python: str, tmp_path: Path) -> None:
    for name, code in {
        "whole": 0,
        "deflated": 0,
        "entry 5 changed": 1,
        "the end cut off": 2,
        "nobody signed": 3,
    }.items():
        (tmp_path / "bundle.zip").write_bytes(CASES[name].content)

        ended = run(python, tmp_path / "bundle.zip", "--json")

        assert (ended.returncode, json.loads(ended.stdout)["code"], ended.stderr) == (code, code, "")
        assert json.loads(ended.stdout)["findings"] == verify.report(checked(CASES[name]))["findings"]


def test_it_checks_the_folder_that_it_lies_in(tmp_path: Path) -> None:
    folder = unpacked(CASES["whole"], tmp_path)
    (folder / "notes of mine.txt").write_text("not of the bundle")
    (folder / "mail.eml").write_bytes(mail_with(WHOLE.files["checkpoints/000000000007.txt"]))
    (folder / "MANIFEST.json").write_bytes(
        WHOLE.put({"verify.py": SCRIPT.read_bytes()}).sealed().files["MANIFEST.json"]
    )
    (folder / "MANIFEST.note").write_bytes(
        WHOLE.put({"verify.py": SCRIPT.read_bytes()}).sealed().files["MANIFEST.note"]
    )

    inside = run(sys.executable, "--checkpoint", "mail.eml", "--vkey", KEY, folder=folder)
    outside = run(sys.executable, folder, "--json")
    (folder / "notices" / "001-A.txt").write_text("Other words")
    changed = run(sys.executable, folder=folder)

    assert (inside.returncode, outside.returncode, changed.returncode) == (0, 0, 1), inside.stdout
    assert "mail.eml: Entries 1 to 7 are as they were signed; 5 were added since." in inside.stdout
    assert "Signed by the key you gave, portal.example+" in inside.stdout
    assert json.loads(outside.stdout)["remarks"] == ["mail.eml lies beside the bundle and is not part of it."]
    assert "notices/001-A.txt does not hold the words that entry 4 issued." in changed.stdout


def test_a_key_that_came_along_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "bundle.zip").write_bytes(CASES["everything by a forger, nothing known"].content)

    said = run(sys.executable, tmp_path / "bundle.zip").stdout

    assert "a key that came in this bundle: compare it with the one you know" in said


@pytest.mark.parametrize(
    "arguments",
    [["--nonsense"], ["nowhere.zip"], ["."], ["b.zip", "--checkpoint", "nowhere"], ["b.zip", "--vkey", "none"]],
    ids=lambda arguments: arguments[-1],
)
def test_used_wrongly_it_says_how_and_ends_with_64(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_bytes(WHOLE.zipped())
    shutil.copy(SCRIPT, tmp_path / "verify.py")

    ended = run(sys.executable, *arguments, folder=tmp_path)

    assert ended.returncode == 64
    assert ended.stderr
    assert "Traceback" not in ended.stderr


def test_it_imports_nothing_but_the_standard_library_and_no_network() -> None:
    listing = f"""
import runpy, sys
sys.argv = ["verify.py", "--nonsense"]
try:
    runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
except SystemExit:
    print(*sys.modules)
"""
    alone = [sys.executable, "-I", "-S", "-c", listing]
    loaded = subprocess.run(alone, capture_output=True, encoding="utf-8", check=True, timeout=60).stdout.split()

    assert {name.split(".")[0] for name in loaded} - sys.stdlib_module_names - {"__main__"} == set()
    assert not {"ssl", "http.client", "urllib.request", "subprocess", "ctypes"} & set(loaded)
