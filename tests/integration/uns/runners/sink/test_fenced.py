"""A sink that Kafka has fenced ends and says so: it would read nothing any more, and look well."""

from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.harness import eventually
from tests.harness.own_area import OwnArea
from topology.model.loader import load
from topology.model.wiring import Subscribe
from topology.namespace.classes import MessageClass
from uns.runners.sink.source import SinkSource, SourceLost


def assigned(source: SinkSource) -> bool:
    source.poll(10, 0.2)
    return bool(source.assigned)


@pytest.mark.parametrize("how", ["commit", "poll"])
def test_who_is_fenced_ends(kafka: str, registry: str, tmp_path: Path, enterprise: str, how: str) -> None:
    area = OwnArea(kafka, registry, enterprise, tmp_path)
    lines = {"line-1": {"cells": {"filler": "filler"}}}
    model = {
        "namespace": {"enterprise": enterprise, "sites": {"dallas": {"areas": {"packaging": {"lines": lines}}}}},
        "types": {"filler": {"tags": {}, "ideal_cycle_s": 6.0}},
    }
    (tmp_path / "plant.yaml").write_text(yaml.safe_dump(model), encoding="utf-8")
    plant = load(tmp_path, {})
    subscribe = Subscribe(filter=f"{enterprise}/#", classes=(MessageClass.OEE,))
    older, newer = (
        SinkSource(area.settings, plant, subscribe, f"sink-{enterprise}", "sink", area.codec) for _ in range(2)
    )
    try:
        for source in (older, newer):
            source.open(None)
            eventually(partial(assigned, source))
        with pytest.raises(SourceLost, match="another process"):  # noqa: PT012 (poll says it sooner or later)
            if how == "commit":
                older.commit({(area.topic(MessageClass.OEE), 0): 0})
            eventually(lambda: older.poll(10, 0.2) is None)
    finally:
        older.close()
        newer.close()
