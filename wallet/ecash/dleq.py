"""NUT-12: the mint's proof that it signed with the key it published, and not with a marked one.

For the signer: R1 = pG, R2 = pB_, e = H(R1, R2, K, C_), s = p + ek. The wallet recomputes
R1 = sG - eK and R2 = sB_ - eC_ and compares the hash.
"""

from __future__ import annotations

import hashlib
import hmac

from coincurve import PublicKey

from wallet.ecash.curve import blind, key_point, minus, point, scalar
from wallet.ecash.errors import EcashError
from wallet.ecash.types import Proof


def hash_e(*points: PublicKey) -> bytes:
    """SHA-256 over the lower-case hex text of the uncompressed points, one after the other."""
    text = "".join(p.format(compressed=False).hex() for p in points)
    return hashlib.sha256(text.encode()).digest()


def verify(B_: bytes, C_: bytes, K: bytes, e: bytes, s: bytes) -> bool:
    """True when C_ = kB_ for the k of K = kG."""
    try:
        blinded, signed, key = point(B_), point(C_), key_point(K)
        scalar(s)
        minus_e = minus(e)
        r1 = PublicKey.combine_keys([PublicKey.from_secret(s), key.multiply(minus_e)])
        r2 = PublicKey.combine_keys([blinded.multiply(s), signed.multiply(minus_e)])
    except ValueError:  # EcashError, or a sum that is the point at infinity
        return False
    return hmac.compare_digest(hash_e(r1, r2, key, signed), e)


def verify_proof(proof: Proof, K: bytes) -> bool:
    """Check the proof a token carries: rebuild B_ and C_ with the sender's r."""
    if proof.dleq is None:
        return False
    try:
        r = scalar(proof.dleq.r)
        signed = PublicKey.combine_keys([point(proof.C), key_point(K).multiply(r)]).format()
        blinded = blind(proof.secret, r)
    except (EcashError, ValueError):
        return False
    return verify(blinded, signed, K, proof.dleq.e, proof.dleq.s)
