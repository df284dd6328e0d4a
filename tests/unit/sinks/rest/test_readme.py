"""The examples of the README are configurations that the sink takes."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import sinks.rest
from sinks.rest.config import RestConfig

README = (Path(sinks.rest.__file__).parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_an_example_is_a_configuration(number: int) -> None:
    read: Any = yaml.safe_load(BLOCKS[number])
    options = {"requests": read} if isinstance(read, list) else read
    assert RestConfig.model_validate({"base_url": "https://cmms.example.com", **options}).requests


def test_there_are_examples() -> None:
    assert len(BLOCKS) >= 4
