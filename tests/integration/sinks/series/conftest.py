"""One test, one target behind a front."""

from collections.abc import Iterator

import pytest

from tests.integration.sinks.series.targets import KINDS, Subject, influx, pi, quest


@pytest.fixture(params=KINDS)
def subject(request: pytest.FixtureRequest, enterprise: str) -> Iterator[Subject]:
    kind: str = request.param
    if kind.startswith("influxdb"):
        with influx(request.getfixturevalue("influxdb"), enterprise, int(kind[-1])) as found:
            yield found
    elif kind == "questdb":
        with quest(request.getfixturevalue("questdb"), enterprise) as found:
            yield found
    else:
        with pi() as found:
            yield found
