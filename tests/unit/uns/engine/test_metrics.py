"""Every counter of a worker stands at 0 for each of its label sets before anything happens, and grows by no other."""

import ast
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path

import pytest
from faust.types import TP
from prometheus_client import REGISTRY, Counter

import processors
from processors.base import REASONS as FOLD_REASONS
from schemas.records import Sample, Samples, State, Tick
from tests.harness.engine_process import CountFold, codec
from uns.engine import metrics
from uns.engine import step as steps
from uns.engine.config import EngineConfig
from uns.engine.failure import Exit, Fatal, Fenced
from uns.engine.process import Partition, Processor
from uns.engine.step import REASONS, AreaTopics, Step
from uns.engine.transport import FetchedBatch, Membership
from uns.kafka.log import LogRecord
from uns.runtime.clock import system

RAW = "uns.acme.dallas.packaging.raw"
TP0 = TP(RAW, 0)
MEMBERSHIP = Membership("group", 7, "member", frozenset({TP0}))
PATH = b"acme/dallas/packaging/line-1/filler"
CODEC = codec()
BY_PARTITION = (metrics.skipped, metrics.group_ahead)
LABELLED = [m for m in vars(metrics).values() if isinstance(m, Counter) and m._labelnames and m not in BY_PARTITION]
LabelSet = tuple[str, tuple[tuple[str, str], ...]]


def stand() -> dict[LabelSet, float]:
    """Name and labels of each counter → its value now."""
    names = {f"{counter._name}_total" for counter in LABELLED}
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name in names
    }


@pytest.fixture
def started() -> Mapping[LabelSet, float]:
    """As a worker over one raw topic finds them."""
    for counter in LABELLED:
        counter.clear()
    metrics.start([RAW])
    return stand()


class Transactions:
    """Takes everything, or refuses in the way that is set."""

    refusal: Exception | None = None

    def open(self) -> None: ...

    def commit(self, *_: object) -> None:
        if self.refusal is not None:
            raise self.refusal


def _state(value: bytes) -> State:
    step = Step(CountFold(), CODEC, AreaTopics(RAW), 0)
    (state,) = (o for o in step.apply(step.decode(LogRecord(RAW, 0, 0, PATH, value))) if isinstance(o, State))
    return state


def test_every_counter_stands_at_zero(started: Mapping[LabelSet, float]) -> None:
    assert len(LABELLED) == len(metrics.PER_TOPIC) + 6
    assert {name for name, _ in started} == {f"{counter._name}_total" for counter in LABELLED}
    assert set(started.values()) == {0.0}
    assert ("uns_engine_quarantined_total", (("reason", "late"),)) in started
    assert ("uns_engine_outputs_total", (("message_class", "oee"),)) in started


def test_work_and_losses_grow_no_other_label_set(started: Mapping[LabelSet, float]) -> None:
    good = CODEC.encode(Samples("s", 0, (Sample("T", 1, 1), Sample("T", 2, float("nan")))))
    derived = CODEC.encode(_state(good))
    values = [good, None, b"", b"\x07poison", good[:-2], good + b"!", derived, CODEC.encode(Tick(at=3, worker="w"))]
    log = [LogRecord(RAW, 0, offset, PATH, value) for offset, value in enumerate(values)]
    log += [LogRecord(RAW, 0, len(log), b"no path!", good), LogRecord(RAW, 0, len(log) + 1, b"acme/elsewhere", good)]
    kafka = Transactions()
    processor = Processor(kafka, EngineConfig(), system, "w", (), lambda: False)
    for kafka.refusal in (None, Fenced("another's"), Fatal(Exit.TRANSACTION, "gone")):
        partition = Partition(Step(CountFold(), CODEC, AreaTopics(RAW), 0), 0, 0)
        batch = FetchedBatch(MEMBERSHIP, TP0, 0, len(log), log, 0, len(log))
        with pytest.raises((Fenced, Fatal)) if kafka.refusal else nullcontext():
            processor.process([batch], {TP0: partition}, MEMBERSHIP)
    after = stand()
    assert after.keys() == started.keys()
    grown = {name: {labels[0][1] for n, labels in after if n == name and after[n, labels]} for name, _ in after}
    assert grown["uns_engine_transactions_total"] == {"committed", "fenced", "failed"}
    assert grown["uns_engine_quarantined_total"] >= {"null_value", "bad_magic", "not_raw", "bad_key", "foreign_path"}
    assert grown["uns_engine_quarantined_total"] >= {"not_finite", "trailing_bytes"}
    assert grown["uns_engine_outputs_total"] == {"state"}


def _trees(folder: Path) -> Iterator[ast.Module]:
    yield from (ast.parse(file.read_text(encoding="utf-8")) for file in sorted(folder.rglob("*.py")))


def _reasons(tree: ast.Module, callee: str) -> Iterator[str]:
    """The reasons given to `callee` and to the functions beside it that pass their own parameter `reason` on to it."""
    position = {callee: 0}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and any(
            _called(call) == callee and isinstance(call.args[0], ast.Name) and call.args[0].id == "reason"
            for call in ast.walk(node)
            if isinstance(call, ast.Call) and call.args
        ):
            names = [argument.arg for argument in node.args.args if argument.arg != "self"]
            position[node.name] = names.index("reason")
    position.setdefault("refuse", 1)  # imported from `processors.cell.tags`
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and (name := _called(call)) in position:
            reason = call.args[position[name]]
            if isinstance(reason, ast.Constant):
                yield str(reason.value)
            else:
                assert ast.unparse(reason) == "reason", ast.unparse(call)


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def test_every_reason_of_a_rejection_is_declared_and_given() -> None:
    (folder,) = map(Path, processors.__path__)
    assert {reason for tree in _trees(folder) for reason in _reasons(tree, "Rejection")} == set(FOLD_REASONS)
    assert len(set(REASONS)) == len(REASONS)
    assert set(FOLD_REASONS) < set(REASONS)


def test_a_reason_that_is_not_declared_would_be_seen() -> None:
    source = (
        "def f(reason, x):\n    return Rejection(reason, x)\nf('one', 1)\nRejection('two', 2)\nrefuse(u, 'three', s)"
    )
    assert set(_reasons(ast.parse(source), "Rejection")) == {"one", "two", "three"}
    assert steps.BAD_KEY in REASONS
