import base64
import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_ml.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    ProofRefused,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)

REPOSITORY = Path(__file__).parents[2]
VECTORS = Path(os.environ.get("SECURE_ML_VECTORS", REPOSITORY / ".." / "shared" / "vectors"))
LARGEST = 40


def _leaves(count: int) -> list[bytes]:
    return [leaf_hash(str(number).encode()) for number in range(count)]


def _naive_root(hashes: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hashlib.sha256(b"\x01" + _naive_root(hashes[:split]) + _naive_root(hashes[split:])).digest()


def _naive_path(index: int, hashes: list[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1."""
    if len(hashes) == 1:
        return []
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    if index < split:
        return [*_naive_path(index, hashes[:split]), _naive_root(hashes[split:])]
    return [*_naive_path(index - split, hashes[split:]), _naive_root(hashes[:split])]


def _naive_subproof(size: int, hashes: list[bytes], whole: bool) -> list[bytes]:
    """RFC 6962, 2.1.2."""
    if size == len(hashes):
        return [] if whole else [_naive_root(hashes)]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    if size <= split:
        return [*_naive_subproof(size, hashes[:split], whole), _naive_root(hashes[split:])]
    return [*_naive_subproof(size - split, hashes[split:], False), _naive_root(hashes[:split])]


# The eight leaves and the roots of the reference implementation's tests for RFC 6962.
KNOWN_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
KNOWN_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_roots_are_those_known_for_rfc_6962() -> None:
    tree = Frontier()
    assert tree.root() == EMPTY_ROOT == hashlib.sha256(b"").digest()
    for leaf, root in zip(KNOWN_LEAVES, KNOWN_ROOTS, strict=True):
        tree.append(leaf_hash(bytes.fromhex(leaf)))
        assert tree.root().hex() == root


@pytest.mark.parametrize("size", range(LARGEST))
def test_every_root_is_that_of_the_naive_recursion(size: int) -> None:
    assert Frontier.of(_leaves(size)).root() == _naive_root(_leaves(size))


def test_every_proof_is_that_of_the_naive_recursion_and_verifies() -> None:
    hashes = _leaves(LARGEST)
    for size in range(1, LARGEST + 1):
        root = _naive_root(hashes[:size])
        for index in range(size):
            proof = inclusion_proof(hashes, index, size)
            assert proof == _naive_path(index, hashes[:size])
            verify_inclusion(hashed_leaf=hashes[index], index=index, size=size, proof=proof, root=root)
            proof = consistency_proof(hashes, index + 1, size)
            assert proof == _naive_subproof(index + 1, hashes[:size], True)
            earlier = _naive_root(hashes[: index + 1])
            verify_consistency(earlier_size=index + 1, earlier_root=earlier, size=size, root=root, proof=proof)


@given(size=st.integers(1, 300), data=st.data())
def test_a_proof_of_another_entry_or_size_is_refused(size: int, data: st.DataObject) -> None:
    hashes = _leaves(size)
    index, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    root, proof = Frontier.of(hashes).root(), inclusion_proof(hashes, index, size)
    verify_inclusion(hashed_leaf=hashes[index], index=index, size=size, proof=proof, root=root)
    if other != index:
        with pytest.raises(ProofRefused):
            verify_inclusion(hashed_leaf=hashes[other], index=index, size=size, proof=proof, root=root)
        with pytest.raises(ProofRefused):
            verify_inclusion(hashed_leaf=hashes[index], index=other, size=size, proof=proof, root=root)


@given(size=st.integers(2, 300), data=st.data())
def test_a_tree_that_changed_an_old_leaf_is_not_consistent(size: int, data: st.DataObject) -> None:
    earlier_size = data.draw(st.integers(1, size - 1))
    changed = data.draw(st.integers(0, earlier_size - 1))
    hashes = _leaves(size)
    earlier_root = Frontier.of(hashes[:earlier_size]).root()
    hashes[changed] = leaf_hash(b"changed")
    with pytest.raises(ProofRefused):
        verify_consistency(
            earlier_size=earlier_size,
            earlier_root=earlier_root,
            size=size,
            root=Frontier.of(hashes).root(),
            proof=consistency_proof(hashes, earlier_size, size),
        )


@pytest.mark.parametrize("size", [0, 1, 6, 7, 8])
def test_a_frontier_is_read_back_as_it_was_written(size: int) -> None:
    tree = Frontier.of(_leaves(size))
    again = Frontier.parse(size, tree.encode())
    assert again == tree
    again.append(leaf_hash(b"next"))
    assert again.root() == _naive_root([*_leaves(size), leaf_hash(b"next")])


@pytest.mark.parametrize(("size", "encoded"), [(1, b""), (0, b"\0" * 32), (3, b"\0" * 63), (-1, b"")])
def test_a_frontier_that_does_not_fit_its_size_is_refused(size: int, encoded: bytes) -> None:
    with pytest.raises(ProofRefused):
        Frontier.parse(size, encoded)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 4), (4, 4)])
def test_there_is_no_inclusion_proof_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ProofRefused):
        inclusion_proof(_leaves(size), index, size)
    with pytest.raises(ProofRefused):
        verify_inclusion(hashed_leaf=leaf_hash(b""), index=index, size=size, proof=[], root=EMPTY_ROOT)


def test_two_trees_of_one_size_are_consistent_only_when_equal_and_not_empty() -> None:
    verify_consistency(earlier_size=1, earlier_root=leaf_hash(b""), size=1, root=leaf_hash(b""), proof=[])
    for size, root, proof in ((1, leaf_hash(b"x"), []), (1, leaf_hash(b""), [leaf_hash(b"")]), (0, leaf_hash(b""), [])):
        with pytest.raises(ProofRefused):
            verify_consistency(earlier_size=size, earlier_root=leaf_hash(b""), size=size, root=root, proof=proof)


@pytest.mark.parametrize(("earlier", "size"), [(0, 0), (0, 3), (4, 3), (-1, 3)])
def test_there_is_no_consistency_proof_from_nothing_or_backwards(earlier: int, size: int) -> None:
    with pytest.raises(ProofRefused):
        consistency_proof(_leaves(size), earlier, size)


def _cases(kind: str) -> list[Path]:
    return sorted((VECTORS / kind).rglob("*.json"))


def _decode(texts: list[str] | None) -> list[bytes]:
    return [base64.b64decode(text) for text in texts or []]


def _verify(kind: str, case: dict[str, object]) -> None:
    hashes = {
        name: base64.b64decode(str(case[name] or "")) for name in ("root", "root1", "root2", "leafHash") if name in case
    }
    proof = _decode(case["proof"])
    if kind == "inclusion":
        index, size = int(str(case["leafIdx"])), int(str(case["treeSize"]))
        verify_inclusion(hashed_leaf=hashes["leafHash"], index=index, size=size, proof=proof, root=hashes["root"])
        return
    sizes = {"earlier_size": int(str(case["size1"])), "size": int(str(case["size2"]))}
    verify_consistency(**sizes, earlier_root=hashes["root1"], root=hashes["root2"], proof=proof)


@pytest.mark.parametrize("kind", ["inclusion", "consistency"])
def test_the_published_vectors_are_judged_as_published(kind: str) -> None:
    cases = _cases(kind)
    if not cases:
        pytest.skip("the Merkle vectors of transparency-dev are not here; set SECURE_ML_VECTORS to their folder")
    wrong = []
    for path in cases:
        case = json.loads(path.read_text())
        try:
            _verify(kind, case)
            refused = False
        except ProofRefused:
            refused = True
        if refused != case["wantErr"]:
            wrong.append(str(path.relative_to(VECTORS)))
    assert wrong == []
