"""Signed notes and Merkle trees against the vectors that others published."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from incidents.evidence.merkle import EMPTY_ROOT, Tree, leaf_hash, node_hash
from incidents.evidence.note import NotANote, NotSigned, Signer, Statement, VerifierKey, opened

# golang.org/x/mod/sumdb/note, the example of c2sp.org/signed-note.
NEUMANN = VerifierKey.read("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
SAYING = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
SIGNED = f"{SAYING}\n— PeterNeumann {SIGNATURE}\n"
# github.com/google/certificate-transparency, reference leaves and roots of RFC 6962 trees of 0 to 8 leaves.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_the_published_example_opens_and_its_key_is_written_back() -> None:
    assert opened(SIGNED, [NEUMANN]) == SAYING
    assert str(NEUMANN) == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_rfc_6962(size: int) -> None:
    tree = Tree()
    tree.extend(bytes.fromhex(leaf) for leaf in LEAVES[:size])

    assert tree.root().hex() == ROOTS[size]
    assert Tree.stored(size, tree.packed()) == tree


def recursive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, as it is written there."""
    if len(leaves) < 2:
        return leaf_hash(leaves[0]) if leaves else EMPTY_ROOT
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node_hash(recursive_root(leaves[:split]), recursive_root(leaves[split:]))


@given(st.integers(0, 200))
def test_the_frontier_grows_to_the_root_of_the_definition(size: int) -> None:
    leaves = [hashlib.sha256(bytes([number])).digest() for number in range(size)]
    tree = Tree()
    tree.extend(leaves)

    assert tree.root() == recursive_root(leaves)


def test_a_frontier_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="frontier of 2 hashes"):
        Tree.stored(3, bytes(32))


SIGNER = Signer("portal.example", Ed25519PrivateKey.generate())
STATEMENT = Statement("portal.example/rollback/7", 3, bytes(range(32)), "ab" * 32)


def test_a_checkpoint_is_read_back_as_it_was_signed() -> None:
    note = SIGNER.signed(STATEMENT.text)

    assert Statement.read(opened(note, [NEUMANN, SIGNER.verifier])) == STATEMENT
    assert note.startswith("portal.example/rollback/7\n3\nAAECAwQF")


def test_every_flipped_bit_of_a_note_is_noticed() -> None:
    note = SIGNER.signed(STATEMENT.text).encode()
    padding = note.rstrip(b"\n")[-2:]  # base64 bits that carry nothing are refused or signed as well

    for place in range(len(note) - 1 - len(padding)):
        for bit in range(8):
            forged = bytearray(note)
            forged[place] ^= 1 << bit
            with pytest.raises((NotANote, NotSigned, UnicodeDecodeError)):
                opened(forged.decode(), [SIGNER.verifier])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "x\n",
        "x\n\n",
        "x\n\n— a\n",
        "x\n\n— a !!\n",
        "x\n\n— a AAAA\n",
        "\x01\n\n— a AAAAAAA=\n",
        "x" * 2_000_000,
    ],
    ids=range(9),
)
def test_what_is_no_note_says_so(text: str) -> None:
    with pytest.raises(NotANote):
        opened(text, [NEUMANN])


@pytest.mark.parametrize("text", ["", "o\n", "o\n1\nAAAA\n", f"o\n-1\n{'A' * 43}=\n", f"o\n01\n{'A' * 43}=\n"])
def test_a_note_that_is_no_checkpoint_says_so(text: str) -> None:
    with pytest.raises(NotANote):
        Statement.read(text)


@pytest.mark.parametrize("text", ["", "a+b", "a+00000000+AQ==", str(NEUMANN)[12:]])
def test_what_is_no_verifier_key_says_so(text: str) -> None:
    with pytest.raises(NotANote):
        VerifierKey.read(text)
