"""The tables of the paper and of its claims, from small made-up ones."""

import pytest
from made_up import claims, table1, table2

from prm_scaling.plots import FIGURES, tables


def test_table1_has_ours_and_theirs_apart():
    ours, theirs = tables.table1(table1()).split("### Published (Chen et al., Table 1)")
    assert (
        "| 83k | code, short | 20.0 [15.0, 23.0] | 30.0 [25.0, 33.0] | 45.0 [40.0, 48.0] | 40.0 [35.0, 43.0] |" in ours
    )
    assert "| a\\|b<c> | code, short |" in ours and ours.rstrip().endswith("95% intervals.")
    assert "| 45.0 [40.0, 48.0] | – |" in ours  # a choice that was not measured
    assert "| QwQ-32B-Preview | MBPP+ | 70.9 | 76.0 | 76.2 | 79.6 |" in theirs
    assert "HumanEval+" not in ours


def test_table2_and_its_test():
    text = tables.table2(table2())
    assert "0.310 [0.300, 0.320] | – |" in text and "| < 0.001 |" in text
    assert "### Published (Chen et al., Table 2)" in text and "30.95" in text


def test_claims_show_effect_interval_and_verdict():
    text = tables.claims(claims())
    assert "8.1 points [2.0, 13.9] | 8.52 points | ✓ holds |" in text
    assert "−1.20 points [−4.00, 1.80] | 4.10 points | ○ undecided at this scale |" in text
    assert "| – | – | ✗ does not hold |" in text
    with pytest.raises(ValueError, match="no verdict is called perhaps"):
        tables.claims(claims().assign(verdict="perhaps"))


@pytest.mark.parametrize(("write", "make"), [(tables.table1, table1), (tables.table2, table2), (tables.claims, claims)])
def test_tables_name_missing_columns(write, make):
    for column in make().columns:
        with pytest.raises(ValueError, match=rf"{write.__name__}: the table has no column {column};"):
            write(make().drop(columns=column))


def test_published_numbers_have_owner_and_source():
    published = tables.published()
    for table in (published["table1"], published["table2"]):
        assert table["title"].startswith("Published (") and table["source"]
    for owner in published["references"]:
        assert owner["title"].startswith("Published (")
        assert all(row["source"] and row["figure"] in FIGURES for row in owner["rows"])
