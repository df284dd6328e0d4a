"""What connectors and sinks have in common as registered components: options that say what they are, a valid sample."""

from importlib.resources import files
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from connectors.base import ConnectorSpec
from sinks.base import SinkSpec

SECRET = "hunter2"


class ComponentContract:
    """The part of both suites that needs no source and no target."""

    @property
    def spec(self) -> ConnectorSpec[Any] | SinkSpec[Any]:
        """What the component registered."""
        raise NotImplementedError

    def file(self, name: str) -> str:
        """A file beside the component's configuration."""
        return (files(self.spec.config.__module__.rpartition(".")[0]) / name).read_text(encoding="utf-8")

    def sample(self) -> dict[str, Any]:
        config = yaml.safe_load(self.file("sample.yaml"))
        assert isinstance(config, dict)
        return config

    def test_every_option_says_what_it_is(self) -> None:
        assert self.spec.summary
        check_described(self.spec.config.__module__, self.spec.config.model_json_schema())

    def test_its_sample_is_valid_and_an_unknown_option_is_not(self) -> None:
        self.spec.config.model_validate(self.sample())
        with pytest.raises(ValidationError, match="no_such_option"):
            self.spec.config.model_validate({**self.sample(), "no_such_option": 1})


def check_described(name: str, schema: dict[str, Any]) -> None:
    """Raises AssertionError where an option of a configuration has no description."""
    for where, inner in {name: schema, **schema.get("$defs", {})}.items():
        for option, field in inner.get("properties", {}).items():
            assert field.get("description"), f"{where}.{option} has no description"
