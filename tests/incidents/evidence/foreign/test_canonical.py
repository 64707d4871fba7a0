"""RFC 8785 as published, and what JavaScript does where it differs."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from incidents.evidence.foreign import canonical
from incidents.evidence.foreign.canonical import NotHashable, write

# RFC 8785, appendix B: the bits of a double, and its text.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


def double(bits: str) -> float:
    return struct.unpack(">d", bytes.fromhex(bits))[0]


def read(text: str) -> Any:
    return json.loads(text, parse_int=canonical.number, parse_float=float)


@pytest.mark.parametrize("bits", NUMBERS)
def test_the_published_numbers_are_written_as_published(bits: str) -> None:
    assert write(double(bits)).decode() == NUMBERS[bits]
    assert write(read(NUMBERS[bits])).decode() == NUMBERS[bits]


@pytest.mark.parametrize("bits", ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"])
def test_what_is_no_number_has_no_text(bits: str) -> None:
    with pytest.raises(NotHashable):
        write({"n": [double(bits)]})


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("9007199254740993", "9007199254740992"),
        ("123456789012345678901234567890", "1.2345678901234568e+29"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("1.0", "1"),
        ("1e2", "100"),
        ("4.50", "4.5"),
        ("1E30", "1e+30"),
        ("-9007199254740993", "-9007199254740992"),
        ("0.1", "0.1"),
    ],
)
def test_a_number_is_a_double_however_it_is_written(text: str, written: str) -> None:
    assert write(read(text)).decode() == written


def test_a_number_beyond_all_doubles_is_refused() -> None:
    with pytest.raises(NotHashable):
        write(read("1e400"))


def test_keys_are_sorted_by_their_utf_16_code_units() -> None:
    """RFC 8785, section 3.2.3: the emoji's first half sorts before the Hebrew letter, which its code point does not."""
    text = (
        '{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",'
        '"\\ud83d\\ude00":"Emoji: Grinning Face","\\u0080":"Control","\\u00f6":"Latin Small Letter O With Diaeresis"}'
    )

    assert list(json.loads(write(read(text))).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


def test_the_published_sample_is_written_as_published() -> None:
    """RFC 8785, section 3.2.4."""
    text = (
        '{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],'
        '"string": "\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/", "literals": [null, true, false]}'
    )

    assert write(read(text)).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_half_a_character_is_written_as_javascript_does() -> None:
    assert write(read('{"\\udc00":"\\ud83d","a":"\\ud83d\\ude00"}')).decode() == (
        '{"a":"\U0001f600","\\udc00":"\\ud83d"}'
    )


def test_the_two_orders_of_javascript() -> None:
    value = read('{"b":1,"10":2,"9":3,"a":{"01":1,"2":2},"4294967295":4}')

    assert write(value).decode() == '{"10":2,"4294967295":4,"9":3,"a":{"01":1,"2":2},"b":1}'
    assert write(value, canonical.by_utf16_in_an_object).decode() == (
        '{"9":3,"10":2,"4294967295":4,"a":{"2":2,"01":1},"b":1}'
    )
    assert write(value, canonical.as_inserted).decode() == '{"9":3,"10":2,"b":1,"a":{"2":2,"01":1},"4294967295":4}'
    assert canonical.has_indices([{"a": {"2": 1}}])
    assert not canonical.has_indices({"01": [1, "2"]})


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    # No halves of characters: the library refuses them.
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(json_values)
def test_it_agrees_with_the_library_on_what_the_library_can_write(value: Any) -> None:
    assert write(value) == rfc8785.dumps(value)
