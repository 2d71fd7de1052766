"""The keys of the fingerprints: the one in use, and those that it has replaced."""

import hashlib
import hmac
from collections.abc import Sequence


class FingerprintKeys:
    """Makes fingerprints, and brings those of an earlier key forward.

    Keys form a chain: with a second key the fingerprint of a number is the second key's HMAC of the
    first key's HMAC of the number. So every fingerprint can be brought forward, that of an erased
    person as well, whose number nobody knows any more; and none can be computed without the newest
    key. `generation` counts the keys: 1 is the first.
    """

    def __init__(self, current: str, former: Sequence[str] = ()) -> None:
        """`former`: the keys before, the oldest first."""
        # Each key's own share of the work is done once.
        self._chain = [
            hmac.new(key.encode(), digestmod=hashlib.sha256) for key in (*former, current)
        ]
        self.generation = len(self._chain)

    def fingerprint(self, text: str) -> bytes:
        """HMAC-SHA256 of a text, by each key in turn: 32 bytes."""
        return self.advance(text.encode("utf-8", "replace"), 0)

    def both(self, text: str) -> tuple[bytes | None, bytes]:
        """The fingerprint as it was before the last change of the key, if any, and as it is."""
        former = None
        digest = text.encode("utf-8", "replace")
        for key in self._chain[:-1]:
            former = digest = _keyed(key, digest)
        return former, _keyed(self._chain[-1], digest)

    def advance(self, digest: bytes, generation: int) -> bytes:
        """What a fingerprint of an earlier generation is now."""
        for key in self._chain[generation:]:
            digest = _keyed(key, digest)
        return digest

    def next_of(self, former: bytes) -> bytes:
        """What a fingerprint of the generation before is now."""
        return _keyed(self._chain[-1], former)

    def check(self) -> str:
        """What a database keeps to recognise the keys by, without revealing them."""
        return self.fingerprint(_CHECKED).hex()

    def former_check(self) -> str | None:
        """The same before the last change of the key; None where it was never changed."""
        former, _ = self.both(_CHECKED)
        return former.hex() if former else None


_CHECKED = "fingerprint check"


def _keyed(key: hmac.HMAC, message: bytes) -> bytes:
    keyed = key.copy()
    keyed.update(message)
    return keyed.digest()
