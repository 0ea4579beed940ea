"""The Merkle tree of RFC 6962 and RFC 9162: hashes, proofs, and their verification.

Belongs here: pure computation over hashes. Must stay out: any I/O, and what a leaf means.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


class ProofRefused(Exception):
    """A proof does not connect what it claims to connect, or its sizes make no sense."""


def leaf_hash(leaf: bytes) -> bytes:
    """Hash a leaf (RFC 9162, 2.1.1): the prefix keeps a leaf from passing as a node."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash an inner node (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass
class Frontier:
    """The roots of the perfect subtrees that make up a tree, largest first: all that appending needs.

    Attributes:
        size: Leaves so far.
        hashes: One hash for each bit set in `size`.
    """

    size: int = 0
    hashes: list[bytes] = field(default_factory=list)

    @classmethod
    def of(cls, leaf_hashes: Iterable[bytes]) -> "Frontier":
        """The frontier after appending each hash in turn."""
        frontier = cls()
        for hashed in leaf_hashes:
            frontier.append(hashed)
        return frontier

    @classmethod
    def parse(cls, size: int, encoded: bytes) -> "Frontier":
        """Read what `encode` wrote for a tree of this size.

        Raises:
            ProofRefused: The bytes do not fit the size.
        """
        if size < 0 or len(encoded) != HASH_BYTES * size.bit_count():
            raise ProofRefused(f"a frontier of {len(encoded)} bytes does not fit a tree of {size} leaves")
        return cls(size, [encoded[at : at + HASH_BYTES] for at in range(0, len(encoded), HASH_BYTES)])

    def encode(self) -> bytes:
        """The hashes, joined."""
        return b"".join(self.hashes)

    def append(self, hashed_leaf: bytes) -> None:
        """Add one leaf by its hash."""
        if len(hashed_leaf) != HASH_BYTES:
            raise ProofRefused(f"a leaf hash has {HASH_BYTES} bytes, not {len(hashed_leaf)}")
        carried, size = hashed_leaf, self.size
        while size & 1:
            carried = node_hash(self.hashes.pop(), carried)
            size >>= 1
        self.hashes.append(carried)
        self.size += 1

    def root(self) -> bytes:
        """The root hash of the tree (RFC 9162, 2.1.1)."""
        if not self.hashes:
            return EMPTY_ROOT
        *rest, root = self.hashes
        for left in reversed(rest):
            root = node_hash(left, root)
        return root


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The leaf ranges whose subtree roots form the inclusion proof, in its order (RFC 9162, 2.1.3.1).

    Raises:
        ProofRefused: Unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise ProofRefused(f"there is no entry {index} in a tree of {size}")
    start, end = 0, size
    ranges: list[tuple[int, int]] = []
    while end - start > 1:
        middle = start + _left_size(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(earlier_size: int, size: int) -> list[tuple[int, int]]:
    """The leaf ranges whose subtree roots form the consistency proof, in its order (RFC 9162, 2.1.4.1).

    Raises:
        ProofRefused: Unless 0 < earlier_size <= size.
    """
    if not 0 < earlier_size <= size:
        raise ProofRefused(f"a tree of {size} has no consistency proof from one of {earlier_size}")
    start, end = 0, size
    ranges: list[tuple[int, int]] = []
    while end != earlier_size:
        middle = start + _left_size(end - start)
        if earlier_size <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    # The earlier root is known to the verifier: where it is itself a subtree, it is left out.
    if start:
        ranges.append((start, end))
    return ranges[::-1]


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int, size: int) -> list[bytes]:
    """Prove that leaf `index` is in the tree of the first `size` hashes."""
    return [Frontier.of(leaf_hashes[start:end]).root() for start, end in inclusion_ranges(index, size)]


def consistency_proof(leaf_hashes: Sequence[bytes], earlier_size: int, size: int) -> list[bytes]:
    """Prove that the tree of the first `earlier_size` hashes is a prefix of that of the first `size`."""
    return [Frontier.of(leaf_hashes[start:end]).root() for start, end in consistency_ranges(earlier_size, size)]


def verify_inclusion(*, hashed_leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Verify an inclusion proof (RFC 9162, 2.1.3.2).

    Raises:
        ProofRefused: The proof does not lead from the leaf to the root.
    """
    if not 0 <= index < size:
        raise ProofRefused(f"there is no entry {index} in a tree of {size}")
    _require_hashes(hashed_leaf, root, *proof)
    position, last, computed = index, size - 1, hashed_leaf
    for sibling in proof:
        if last == 0:
            raise ProofRefused("the inclusion proof is too long")
        if position & 1 or position == last:
            computed = node_hash(sibling, computed)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            computed = node_hash(computed, sibling)
        position >>= 1
        last >>= 1
    if last or computed != root:
        raise ProofRefused(f"the proof does not place entry {index} in this tree of {size}")


def verify_consistency(
    *, earlier_size: int, earlier_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """Verify a consistency proof (RFC 9162, 2.1.4.2).

    Raises:
        ProofRefused: The later tree is not shown to begin with the earlier one; an empty earlier tree proves nothing.
    """
    if not 0 < earlier_size <= size:
        raise ProofRefused(f"nothing connects a tree of {earlier_size} with one of {size}")
    if earlier_size == size:
        if proof or earlier_root != root:
            raise ProofRefused(f"two trees of {size} differ, or the proof is not empty")
        return
    if not proof:
        raise ProofRefused("the consistency proof is empty")
    _require_hashes(earlier_root, root, *proof)
    # A power of two is a subtree of the later tree: the proof leaves its root out.
    path = [earlier_root, *proof] if earlier_size.bit_count() == 1 else list(proof)
    position, last = earlier_size - 1, size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    computed_earlier = computed = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofRefused("the consistency proof is too long")
        if position & 1 or position == last:
            computed_earlier, computed = node_hash(sibling, computed_earlier), node_hash(sibling, computed)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            computed = node_hash(computed, sibling)
        position >>= 1
        last >>= 1
    if last or computed_earlier != earlier_root or computed != root:
        raise ProofRefused(f"the tree of {size} does not begin with the tree of {earlier_size}")


def _left_size(size: int) -> int:
    """The largest power of two below `size` (size > 1)."""
    return 1 << ((size - 1).bit_length() - 1)


def _require_hashes(*hashes: bytes) -> None:
    for given in hashes:
        if len(given) != HASH_BYTES:
            raise ProofRefused(f"a hash has {HASH_BYTES} bytes, not {len(given)}")
