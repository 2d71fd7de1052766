"""Merkle trees over digests, as in RFC 6962: one root for many leaves, a short proof for each."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

Digest = bytes

_LEAF, _NODE = b"\x00", b"\x01"


@dataclass(frozen=True, slots=True)
class Step:
    """One step from a leaf to the root: the neighbour's digest, and on which side it stands."""

    digest: Digest
    is_left: bool


def leaf(content: bytes) -> Digest:
    return hashlib.sha256(_LEAF + content).digest()


def root(leaves: Sequence[Digest]) -> Digest:
    """Raises ValueError where there is nothing."""
    if not leaves:
        raise ValueError("a tree needs a leaf")
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return _node(root(leaves[:split]), root(leaves[split:]))


def proof(leaves: Sequence[Digest], index: int) -> list[Step]:
    """The steps from the leaf at `index` to the root."""
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*proof(leaves[:split], index), Step(root(leaves[split:]), is_left=False)]
    return [*proof(leaves[split:], index - split), Step(root(leaves[:split]), is_left=True)]


def climb(digest: Digest, steps: Sequence[Step]) -> Digest:
    """The root that the steps lead to from this leaf."""
    for step in steps:
        digest = _node(step.digest, digest) if step.is_left else _node(digest, step.digest)
    return digest


def _node(left: Digest, right: Digest) -> Digest:
    return hashlib.sha256(_NODE + left + right).digest()


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)
