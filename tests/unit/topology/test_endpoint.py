"""Addresses and secrets: what is refused, and that the words repeat no secret."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from topology.endpoint import BadSecret, address, header_value, secret

CONTROL = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]


@pytest.mark.parametrize("text", ["mqtt://h", "mqtt://h:1", "mqtts://[::1]:8883/", "mqtt://user@h"])
def test_an_address(text: str) -> None:
    assert address(text, ("mqtt", "mqtts"), "mqtt://host") == text


@pytest.mark.parametrize(
    "text",
    [
        "user:hunter2@h",
        "http://user:hunter2@h",
        "mqtt://user:hunter2@h",
        "mqtt://user:hunter2@",
        "mqtt://user:hunter2@h:nine",
        "mqtt://user:hunter2@h\n",
        "user:hunter2@[::1",
    ],
)
def test_what_is_none_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        address(text, ("mqtt",), "mqtt://host")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("letter", CONTROL)
def test_a_control_character_inside_a_secret_is_refused_and_not_shown(letter: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"hunter2{letter}x", encoding="utf-8", newline="")
    for given_secret, where in ((SecretStr(f"hunter2{letter}x"), None), (None, file)):
        with pytest.raises(BadSecret) as caught:
            secret(given_secret, where)
        assert "hunter2" not in str(caught.value)


def test_the_newline_that_editors_add_is_no_part_of_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b" hunter2\r\n")
    assert secret(None, file) == "hunter2"
    assert secret(None, None) is None


@given(st.text())
def test_a_header_carries_latin_1_and_nothing_else(text: str) -> None:
    try:
        carried = header_value(text)
    except BadSecret:
        return
    assert carried.decode("latin-1") == text
    assert not {"\r", "\n", "\0"} & set(text)
