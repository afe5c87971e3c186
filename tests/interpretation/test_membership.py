"""Tables of blobs and of the codes that they hold."""

from __future__ import annotations

import pytest

from bioblobs.interpretation.membership import blob_table, member_table, usage
from traces import record

RECORDS = [
    record([], 20, [(5, [1, 2]), (5, [4]), (9, [6])], "one"),
    record([], 20, [(9, [3, 4, 5])], "two"),
    record([], 20, [(5, [0, 1, 2])], "three"),
]


def test_every_blob_is_a_member_of_its_code_once() -> None:
    codes = usage(member_table(RECORDS), RECORDS)
    found = {(entry["code"], m["protein"], m["slot"]) for entry in codes for m in entry["members"]}
    assert found == {(b.code, r.id, b.slot) for r in RECORDS for b in r.blobs}
    assert sum(len(entry["members"]) for entry in codes) == len(blob_table(RECORDS)) == 5


def test_codes_come_most_used_first_and_members_most_important_first() -> None:
    first, second = usage(member_table(RECORDS), RECORDS)
    assert (first["code"], first["blobs"], first["proteins"]) == (5, 3, 2)
    assert first["members"][0] == {"protein": "three", "slot": 0}  # its only blob: importance 1
    assert (second["code"], second["blobs"], second["mean_size"]) == (9, 2, 2)


def test_importance_shares_sum_to_one_over_the_codes() -> None:
    codes = usage(member_table(RECORDS), RECORDS)
    assert sum(entry["importance_share"] for entry in codes) == pytest.approx(1, abs=1e-5)
    assert codes[0]["mean_importance"] == pytest.approx((3 / 6 + 2 / 6 + 1) / 3, abs=1e-5)


def test_blobs_without_a_code_belong_to_none() -> None:
    bare = record([], 20, [(None, [1])])
    assert usage(member_table([bare]), [bare]) == []
    assert len(member_table([bare, RECORDS[1]])) == 1
