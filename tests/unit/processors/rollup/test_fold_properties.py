"""Roll-ups over any history: order of arrival, sums of parts, restarts."""

import random
from fractions import Fraction

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import Codec
from schemas.records import TYPES, Inputs, Kpi
from tests.harness.kpi_records import (
    CELLS,
    DALLAS,
    DEFINITION,
    HOUR,
    MODEL,
    OVEN,
    T0,
    Run,
    kpi,
    pieces,
)
from topology.kpi.values import Facts, Pieces, losses, total, values

LINE_2 = f"{DALLAS}/line-2"
CODEC = Codec({name: number for number, name in enumerate(TYPES, start=1)})


@st.composite
def histories(draw: st.DrawFn) -> list[list[Kpi]]:
    """Revisions of machines' records: some end provisional, some withdrawn."""
    found = []
    windows = [("hour", None, None), ("shift", "early", None), ("order", "4711", "cola"), ("product", None, "cola")]
    for path in draw(st.lists(st.sampled_from(CELLS), unique=True, min_size=1)):
        for window, name, product in draw(st.lists(st.sampled_from(windows), unique=True, min_size=1)):
            start = T0 + draw(st.integers(0, 2)) * HOUR if window in ("hour", "order") else T0
            if window == "product":
                start = T0 - 7 * HOUR if path == OVEN else T0
            revisions: list[Kpi] = []
            for revision in range(draw(st.integers(1, 3))):
                end = draw(st.sampled_from([None, start, start + HOUR]))
                length = draw(st.integers(0, HOUR)) if end is None else end - start
                run_us = draw(st.integers(0, length))
                made = (
                    []
                    if end == start
                    else [
                        pieces(
                            draw(st.integers(0, 99)),
                            draw(st.integers(0, 9)),
                            draw(st.integers(0, 3)),
                            cycle,
                            draw(st.sampled_from([None, "cola"])),
                        )
                        for cycle in draw(st.lists(st.sampled_from([2.0, 6.0, 20.0]), unique=True, max_size=2))
                    ]
                )
                revisions.append(
                    kpi(
                        path,
                        start,
                        end,
                        {"APT": run_us, "ADET": length - run_us},
                        made,
                        window=window,
                        name=name,
                        product=product,
                        status="provisional" if end is None else "final",
                        revision=revision,
                        quantities={"FE": draw(st.integers(0, 3)), "TBF": run_us / 7},
                        offset=draw(st.integers(0, 99)),
                    )
                )
            found.append(revisions)
    return found


def said(records: dict[str, Kpi]) -> dict[str, Kpi]:
    """What the standing records say, but for how often and when they were revised."""
    nowhere = Inputs("", 0, 0, 0)
    return {
        name: msgspec.structs.replace(r, id="", revision=0, status="", inputs=nowhere) for name, r in records.items()
    }


@settings(max_examples=60, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(history: list[list[Kpi]], chance: random.Random) -> None:
    in_order = Run().feed(*(record for revisions in history for record in revisions))
    records = [record for revisions in history for record in revisions]
    records += chance.choices(records, k=3)
    chance.shuffle(records)
    shuffled = Run()
    while records:
        cut = chance.randint(1, len(records))
        shuffled.feed(*records[:cut])
        del records[:cut]
    ours, theirs = said(shuffled.standing()), said(in_order.standing())
    assert ours.keys() == theirs.keys()
    for name, record in ours.items():
        for field in Kpi.__struct_fields__:
            assert getattr(record, field) == getattr(theirs[name], field), f"{name}: {field}"


@settings(max_examples=60, deadline=None)
@given(histories())
def test_a_whole_is_the_sum_of_its_parts(history: list[list[Kpi]]) -> None:
    run = Run().feed(*(record for revisions in history for record in revisions))
    standing = run.standing()
    told = {r[-1].natural_id: r[-1] for r in history if r[-1].ended_at != r[-1].started_at}
    parts = {**standing, **told}
    assert bool(standing) == bool(told)
    for whole in standing.values():
        assert whole.parts
        of = [
            part
            for part in parts.values()
            if part.path in whole.parts
            and (part.window, part.window_name) == (whole.window, whole.window_name)
            and (whole.window != "hour" or part.started_at == whole.started_at)
        ]
        facts = Facts(whole.element_us, _pieces(whole), whole.quantities)
        site = MODEL.namespace.sites[whole.path.split("/")[1]].kpis if "/" in whole.path else None
        assert {k: v for k, v in whole.values.items() if k != "rty"} == values(DEFINITION, facts, site)
        assert whole.loss_us == losses(DEFINITION, facts)
        assert sum(us for us in whole.loss_us.values()) == _planned(whole)
        if whole.path.count("/") == 3:
            (bottleneck,) = [part for part in of if whole.rule is not None and whole.rule.endswith(part.path)]
            assert whole.element_us == bottleneck.element_us
            continue
        summed = total(Facts(part.element_us, _pieces(part), part.quantities) for part in of)
        assert whole.element_us == summed.element_us
        assert _pieces(whole) == summed.pieces
        assert {n: Fraction(q) for n, q in whole.quantities.items()} == {
            n: Fraction(float(q)) for n, q in summed.quantities.items()
        }
        keys = {key for part in of for key in part.loss_us}
        sums = {key: sum(part.loss_us.get(key, 0) for part in of) for key in keys}
        assert {k: v for k, v in sums.items() if v or k == "valuable"} == whole.loss_us


def _pieces(record: Kpi) -> tuple[Pieces, ...]:
    return tuple(Pieces(one.ideal_cycle_us, one.good, one.scrap, one.rework, one.product) for one in record.pieces)


def _planned(record: Kpi) -> int:
    return sum(us for name, us in record.element_us.items() if DEFINITION.elements[name].loss != "outside")


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(0, 20))
def test_what_was_said_and_heard_is_all_that_a_restart_needs(history: list[list[Kpi]], cut: int) -> None:
    records = [record for revisions in history for record in revisions]
    whole, before, after = Run(), Run(), Run()
    before.feed(*records[:cut])
    for record in [*before.said, *records[:cut]]:
        read = CODEC.decode(CODEC.encode(record))
        assert isinstance(read, Kpi)
        after.fold.take(read)
    after.fold.restored()
    assert after.fold.derive() == []
    after.said = list(before.said)
    after.feed(*records[cut:])
    whole.feed(*records[:cut]).feed(*records[cut:])
    assert after.said == whole.said
