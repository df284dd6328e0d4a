"""How often something is killed, cut off or tried: a few times for `make test`, many times where all tests run."""

import pytest


def few_and_many(name: str, few: int, many: int, timeout_s: float | None = None) -> pytest.MarkDecorator:
    """Runs a test with each of two numbers as argument `name`; with the greater one it is `long`, and may take `timeout_s`."""
    marks = [pytest.mark.long] if timeout_s is None else [pytest.mark.long, pytest.mark.timeout(timeout_s)]
    return pytest.mark.parametrize(name, [few, pytest.param(many, marks=marks)])
