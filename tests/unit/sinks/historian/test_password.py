"""The historian's password from a file."""

import asyncio
from pathlib import Path

import pytest

from sinks.base import Retryable
from sinks.historian.config import HistorianConfig
from sinks.historian.sink import Historian

NOBODY = "postgresql://uns:other@127.0.0.1:1/uns"


def config(file: Path | str) -> HistorianConfig:
    return HistorianConfig.model_validate({"dsn": NOBODY, "password_file": file})


def test_the_file_says_it_and_an_empty_name_is_no_file(tmp_path: Path) -> None:
    file = tmp_path / "postgres"
    file.write_text("s3cret\n", encoding="utf-8")
    assert config(str(file)).password == "s3cret"
    assert config("").password is None


@pytest.mark.parametrize("content", [None, b"s3c\nret", b"\xff\xfe"], ids=["no file", "two lines", "no text"])
def test_a_file_that_cannot_be_used_is_waited_for_and_said_without_its_content(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "postgres"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Retryable) as error:
        asyncio.run(Historian("h", config(str(file)), tmp_path).open())
    assert str(file) in str(error.value)
    assert "s3c" not in str(error.value)
