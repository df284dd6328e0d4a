"""The demo's own drift, through the fold: it ends with an alert, and never as what is normal."""

from functools import cache

import pytest

from processors.line import LineFold
from schemas.records import TYPES, Alert, Quality
from tests.harness.demo_fold import model as demo_model
from tests.harness.demo_fold import with_tags
from tests.harness.line_logs import Run, Told, ordered, samples, ticks
from topology.model.charts import ChartPlan
from topology.model.plant import Plant
from topology.model.tags import Tag
from uns.demo.compare import compare
from uns.demo.evidence import Evidence
from uns.demo.plant.events import MINUTE, Fact, Said, Truth
from uns.demo.plant.simulation import Simulation
from uns.demo.plant.truth import Truth as ReadTruth

BEGIN = 1_795_413_000_000_000
SPAN = 80 * MINUTE
LINE = "acme/leipzig/packaging/line-1"
LABELER = f"{LINE}/labeler"


def learning() -> Plant:
    """The demo's model, but that the limits of its charts are learnt, as they are without any option."""

    def learnt(tags: dict[str, Tag]) -> dict[str, Tag]:
        offset = tags.get("Offset")
        return tags if offset is None else tags | {"Offset": offset.model_copy(update={"chart": ChartPlan()})}

    return with_tags(demo_model(), learnt)


@cache
def run() -> tuple[Run, int]:
    """The line's orders and the labeler's offsets of one run, and when the drift began."""
    told: list[Told] = []
    drift = 0
    for event in Simulation(5, BEGIN).events(BEGIN + SPAN):
        match event:
            case Said(path=path, tag="Offset") if path == LABELER:
                told.append(samples(event.at, Offset=event.value, path=path))
            case Fact(line=line, kind="order") if line == LINE:
                told.append((LINE, TYPES["Order"](**event.content)))  # type: ignore[arg-type]
            case Truth(kind="drift"):
                drift = event.at
            case _:
                pass
    model = learning()
    folded = Run(model)
    folded.fold = LineFold(model, "uns.acme.leipzig.packaging.raw", 0)
    folded.feed(ordered([*told, *ticks(BEGIN, BEGIN + SPAN, MINUTE)]))
    return folded, drift


def test_it_ends_with_an_alert_that_the_new_product_does_not_end() -> None:
    folded, drift = run()
    points: list[Quality] = folded.newest("quality", LABELER)
    alerts: list[Alert] = [a for a in folded.newest("alert", LABELER) if a.kind == "out_of_specification"]
    last_beyond = max(point.started_at for point in points if point.beyond is not None)
    assert alerts
    assert alerts[0].started_at > drift
    assert alerts[-1].started_at <= last_beyond
    assert alerts[-1].ended_at is None or alerts[-1].ended_at > last_beyond


def test_it_is_not_learnt_as_normal() -> None:
    folded, _ = run()
    points: list[Quality] = folded.newest("quality", LABELER)
    assert any((point.limits_warning or "").startswith("limits refused: ") for point in points)
    for point in points:
        if point.ucl is not None and point.usl is not None and point.ucl > point.usl:
            assert point.limits_warning is not None
            assert point.limits_warning.startswith("not capable: UCL ")


@pytest.mark.parametrize(("left_out", "alerted"), [("", True), ("out_of_specification", False)])
def test_the_closing_box_says_whether_it_was_alerted(left_out: str, alerted: bool) -> None:
    folded, drift = run()
    latest = {r.natural_id: r for r in folded.records if not (isinstance(r, Alert) and r.kind == left_out)}
    truth = ReadTruth(BEGIN, BEGIN + SPAN, [], drifts=[(LABELER, "Offset", drift)])
    assert compare(Evidence(latest=latest), truth)["drift_alerted"] is alerted
