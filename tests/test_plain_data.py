"""Values as they cross from a program to its tests or to the host, and how outputs are compared."""

import json

import pytest

import prm_scaling.verify.inside.plain as plain
from prm_scaling.verify.compare import same_text, same_value
from prm_scaling.verify.inside.plain import TABLE_ROWS, Unplain, decode, encode


def test_plain_data_goes_both_ways_and_nothing_else_goes():
    values = [1, 1 << 5000, -1.5, float("inf"), "é\ud800", b"\x00", 1j, None, True, (1, (2,)), {1, 2}, frozenset({3})]
    values += [{(1, 2): [3], "a": {None: 1.0}}, [[1, [2]], []], ()]
    for value in values:
        back = decode(json.loads(json.dumps(encode(value))))
        assert back == value and type(back) is type(value)

    class Liar(list):
        def __eq__(self, other):
            return True

        __hash__ = None

    assert type(decode(encode(Liar([1])))) is list
    for value in (object(), print, [object()], (x for x in ())):
        with pytest.raises(Unplain):
            encode(value)


ROWS = TABLE_ROWS + 7


@pytest.mark.parametrize(
    ("rows", "table"),
    [
        ([(f"word {i % 3}", "x" if i else "") for i in range(ROWS)], True),
        ([[i % 7, -(10**3000)] for i in range(ROWS)], True),
        ([(i % 2, True) for i in range(ROWS)], False),
        ([(1.0, -0.0)] * ROWS, False),
        ([(i,) for i in range(ROWS)], False),
        ([(1, 2)] * ROWS + [(1,)], False),
        ([(1, 2)] * ROWS + [[1, 2]], False),
        ([([1],)] * ROWS, False),
        ([()] * ROWS, False),
    ],
)
def test_many_like_rows_go_over_as_a_table(rows, table):
    written = encode({"a": rows}, tables=True)["v"][0][1]
    assert (isinstance(written, dict) and written["t"] == "table") == table
    back = decode(json.loads(json.dumps(written)))
    assert repr(back) == repr(rows)
    assert type(encode(rows)) is list, "only where it is asked for: the host reads none"


def test_tables_have_a_limit_too(monkeypatch):
    monkeypatch.setattr(plain, "MOST_TABLE_BYTES", 3 * ROWS)
    monkeypatch.setattr(plain, "MOST_VALUES", 4 * ROWS)
    rows = [("a", "b")] * ROWS
    assert decode(encode([rows], tables=True)) == [rows]
    with pytest.raises(Unplain):
        encode([rows, rows, rows], tables=True)


@pytest.mark.parametrize(
    "value",
    [
        ["tuple", 2, ["a"], "aab"],
        ["tuple", 1, ["x"], "ab"],
        ["tuple", "2", ["x"], "aa"],
        ["tuple", 1, 5, "a"],
        ["tuple", 1, ["x"], 5],
        ["tuple", 1, ["x"]],
        None,
    ],
)
def test_what_is_no_table_is_refused(value):
    with pytest.raises(Unplain):
        decode({"t": "table", "v": value})


@pytest.mark.parametrize(
    ("output", "expected", "rules", "same"),
    [
        ([1, 2], [1, 2], {}, True),
        ([2, 1], [1, 2], {}, False),
        ([2, 1], [1, 2], {"unordered": True}, True),
        ([2, 1, 1], [1, 2, 2], {"unordered": True}, False),
        (1, 1.0, {}, True),
        ("1", 1, {}, False),
        (0.3, 0.1 + 0.2, {}, False),
        (0.3, 0.1 + 0.2, {"tolerance": 1e-9}, True),
        ([[0.3]], [[0.1 + 0.2]], {"tolerance": 1e-9}, True),
        (10**400, 0.5, {"tolerance": 1e-9}, False),
        (float("nan"), float("nan"), {}, False),
        ({"a": [1]}, {"a": [1]}, {}, True),
        ({"a": 1, "b": 2}, {"a": 1}, {}, False),
        (("set", [1]), [1], {}, False),
        ([], {}, {}, False),
        (None, [], {}, False),
        ([1], 1, {}, False),
    ],
)
def test_values_are_compared_by_the_rules(output, expected, rules, same):
    assert same_value(output, expected, **rules) is same


@pytest.mark.parametrize(
    ("output", "expected", "tolerance", "same"),
    [
        ("1 2\n", "1 2", 0.0, True),
        ("1\n2\n\n", "1 2", 0.0, True),
        ("12", "1 2", 0.0, False),
        ("", "1", 0.0, False),
        ("1 2 3", "1 2", 0.0, False),
        ("1.0", "1", 0.0, True),
        ("1e3", "1000", 0.0, True),
        ("yes", "YES", 0.0, False),
        ("0.33333", "0.33334", 0.0, False),
        ("0.33333", "0.33334", 1e-4, True),
        ("nan", "1", 1e-4, False),
        ("inf", "1", 1e9, False),
        ("9" * 300, "9" * 299 + "8", 0.0, False),
        ("9" * 10**6, "9" * (10**6 - 1) + "8", 1e-4, False),
    ],
)
def test_texts_are_compared_word_by_word(output, expected, tolerance, same):
    assert same_text(output, expected, tolerance) is same
