"""The numbers of the DHT, in one place. Seconds and counts; docs/protocol.md, "The DHT"."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DhtSettings:
    """Defaults are those of the protocol; simulations and tests change them."""

    k: int = 20  # contacts of a bucket, and holders of a record
    alpha: int = 3  # questions under way in one look-up, at least one a path
    paths: int = 4  # disjoint ways of one look-up
    budget: int = 60  # questions of one look-up
    holders_wanted: int = 2  # of records, for each path
    soft_s: float = 0.35  # then another member is asked as well
    hard_s: float = 2.0  # then the question counts as unanswered
    failures: int = 2  # in a row, then a contact leaves its bucket
    per_prefix_bucket: int = 2  # contacts of one /24 or /48
    per_prefix_table: int = 20
    refresh_s: float = 3_600.0  # a bucket nothing was heard of is looked into
    use_set: bool = True  # one path of each look-up starts from the whole set of relays
    work_bits: int = 0  # of a record
    records: int = 16_384  # held in all: 12 MB
    records_per_key: int = 256
    near: int = 2  # times k: a record is kept by that many of the closest to its key
    rate: float = 20.0  # requests a second and peer
    burst: float = 100.0
    peers: int = 4_096  # whose requests are counted
    bad_record_cost: float = 20.0  # requests that an invalid record counts for

    @property
    def per_path(self) -> int:
        """Questions under way on one path."""
        return -(-self.alpha // self.paths)
