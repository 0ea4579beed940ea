import base64
import hashlib
import itertools
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


# Inner nodes of the same trees, and proofs named by the beginnings of their nodes: transparency-dev/merkle, testdata.
KNOWN_NODES = [
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
]
KNOWN_INCLUSION = {
    (0, 1): "", (0, 8): "96a296d2 5f083f0a 6b47aaf2", (5, 8): "bc1a0643 ca854ea1 d37ee418", (2, 3): "fac54203",
    (1, 5): "6e340b9c 5f083f0a bc1a0643",
}  # fmt: skip
KNOWN_CONSISTENCY = {
    (1, 1): "", (1, 8): "96a296d2 5f083f0a 6b47aaf2", (6, 8): "0ebc5d34 ca854ea1 d37ee418", (2, 5): "5f083f0a bc1a0643",
    (6, 7): "0ebc5d34 b08693ec d37ee418",
}  # fmt: skip


def _known_proof(beginnings: str) -> list[bytes]:
    found = {node[:8]: bytes.fromhex(node) for node in KNOWN_NODES + KNOWN_ROOTS}
    return [found[beginning] for beginning in beginnings.split()]


def _corrupted(proof: list[bytes], root: bytes) -> list[list[bytes]]:
    """As the published vectors corrupt a proof: something before it, after it, missing, or with another bit."""
    added = [extra for other in (b"", b"\0" * 32, root) for extra in ([other, *proof], [*proof, other])]
    removed = [proof[:-1], proof[1:], []] if proof else []
    changed = [
        [*proof[:index], bytes([node[0] ^ 16]) + node[1:], *proof[index + 1 :]] for index, node in enumerate(proof)
    ]
    return added + removed + changed


@pytest.mark.parametrize(("index", "size"), KNOWN_INCLUSION)
def test_inclusion_proofs_are_those_known_for_rfc_6962(index: int, size: int) -> None:
    hashes = [leaf_hash(bytes.fromhex(leaf)) for leaf in KNOWN_LEAVES]
    proof, root = _known_proof(KNOWN_INCLUSION[index, size]), bytes.fromhex(KNOWN_ROOTS[size - 1])

    def verify(proof: list[bytes], *, index: int = index, size: int = size, root: bytes = root) -> None:
        verify_inclusion(hashed_leaf=hashes[index % 8], index=index, size=size, proof=proof, root=root)

    assert inclusion_proof(hashes, index, size) == proof
    verify(proof)
    for wrong in _corrupted(proof, root):
        with pytest.raises(ProofRefused):
            verify(wrong)
    for changes in (
        {"index": index + 1},
        {"index": index - 1},
        {"size": size * 2},
        {"root": b""},
        {"root": b"\0" * 32},
    ):
        with pytest.raises(ProofRefused):
            verify(proof, **changes)


@pytest.mark.parametrize(("earlier", "size"), KNOWN_CONSISTENCY)
def test_consistency_proofs_are_those_known_for_rfc_6962(earlier: int, size: int) -> None:
    hashes = [leaf_hash(bytes.fromhex(leaf)) for leaf in KNOWN_LEAVES]
    proof, roots = _known_proof(KNOWN_CONSISTENCY[earlier, size]), [bytes.fromhex(root) for root in KNOWN_ROOTS]
    sizes = {"earlier_size": earlier, "size": size}
    known = {"earlier_root": roots[earlier - 1], "root": roots[size - 1]}
    assert consistency_proof(hashes, earlier, size) == proof
    verify_consistency(**sizes, **known, proof=proof)
    for wrong in _corrupted(proof, known["root"]):
        with pytest.raises(ProofRefused):
            verify_consistency(**sizes, **known, proof=wrong)
    for name, root in itertools.product(known, (b"", b"\0" * 32)):
        with pytest.raises(ProofRefused):
            verify_consistency(**sizes, **(known | {name: root}), proof=proof)


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


def _is_refused(kind: str, path: Path) -> bool:
    try:
        _verify(kind, json.loads(path.read_text()))
    except ProofRefused:
        return True
    return False


if VECTORS.exists():
    # Some two hundred, of which those above are the proofs that hold: they are no part of this project.
    @pytest.mark.parametrize("kind", ["inclusion", "consistency"])
    def test_the_published_vectors_are_judged_as_published(kind: str) -> None:
        cases = sorted((VECTORS / kind).rglob("*.json"))
        wrong = [path for path in cases if _is_refused(kind, path) != json.loads(path.read_text())["wantErr"]]
        assert cases
        assert wrong == []
