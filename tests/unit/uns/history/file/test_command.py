"""`uns fold` at the boundary: what a file may look like, what is refused, how it is said, and the exit code."""

import gzip
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

import uns.cli.fold  # noqa: F401
from tests.harness.fold_files import CELL, LINE, at, fact, plant, samples
from uns.cli.app import app
from uns.history.file.fold import fold
from uns.history.file.read import read

GOOD = [samples("06:00", State="RUN", Good=0), samples("07:00", State="STOP", Good=100)]
EIGHT = "2026-11-23T06:08:00Z"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "plant"
    path.mkdir()
    (path / "plant.yaml").write_text(yaml.safe_dump(plant().model_dump(mode="json", exclude_defaults=True)))
    return path


def run(folder: Path, data: bytes | str, *options: str) -> Result:
    file = folder.parent / "history.jsonl"
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    return CliRunner().invoke(app, ["fold", str(file), "--plant", str(folder), *options])


def documents(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def said(result: Result) -> list[str]:
    """Lines on standard error but the last, which sums up."""
    *lines, summary = result.stderr.splitlines()
    assert " folded, " in summary
    return lines


def text(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def one(**fields: Any) -> dict[str, Any]:
    """Samples with one sample; None takes a field away."""
    sample = {"tag": "Good", "at": EIGHT, "value": 50} | fields
    return {"type": "Samples", "path": CELL, "samples": [sample]}


def pieces(found: list[dict[str, Any]]) -> int:
    return sum(r["good"] for r in found if r["class"] == "production")


# --- form


@pytest.mark.parametrize("empty", ["", "\n\n", "# nothing\n", "\ufeff", "[]", " \r\n"])
def test_an_empty_file_gives_nothing(folder: Path, empty: str) -> None:
    result = run(folder, empty, "--json")
    assert (result.exit_code, result.stdout, said(result)) == (0, "", [])
    assert "nothing follows from this file" in run(folder, empty).stdout


@pytest.mark.parametrize(
    "form",
    [
        lambda lines: "\ufeff" + lines,
        lambda lines: lines.replace("\n", "\r\n"),
        lambda lines: "\n" + lines.replace("\n", "\n\n  \n"),
        lambda lines: "# a comment\n" + lines.rstrip("\n"),
        lambda lines: lines + lines,
        lambda lines: "".join(reversed(lines.splitlines(keepends=True))),
        lambda lines: json.dumps([json.loads(line) for line in lines.splitlines()], indent=2),
    ],
    ids=["byte order mark", "CRLF", "blank lines", "no newline at the end", "lines twice", "lines reversed", "array"],
)
def test_the_form_of_a_file_does_not_matter(folder: Path, form: Any) -> None:
    result = run(folder, form(text(*GOOD)), "--json")
    assert (result.exit_code, said(result)) == (0, [])
    left_out = {"inputs"}  # numbers of lines
    usual = [
        {k: v for k, v in one.items() if k not in left_out} for one in documents(run(folder, text(*GOOD), "--json"))
    ]
    assert [{k: v for k, v in one.items() if k not in left_out} for one in documents(result)] == usual
    assert pieces(usual) == 100


@pytest.mark.parametrize(
    ("quality", "counts"),
    [(None, 100), (0, 100), ("good", 100), ("Good", 100), (0x40000000, 100), ("uncertain", 100), ("bad", 0)],
    ids=["absent", "0", "good", "Good", "code", "uncertain", "bad"],
)
def test_quality_is_good_unless_said(folder: Path, quality: Any, counts: int) -> None:
    record = one(value=100, at="2026-11-23T06:59:00Z") if quality is None else one(value=100, quality=quality)
    found = documents(run(folder, text(GOOD[0], record, samples("07:00", State="STOP")), "--json"))
    assert pieces(found) == counts


def test_what_may_be_left_out(folder: Path) -> None:
    """source, sequence, by, worker, a tick's path; times as whole µs; an empty list of samples."""
    told = [
        *GOOD,
        {"type": "Reason", "path": CELL, "id": "r", "code": 101, "started_at": at("07:00")},
        {"type": "Samples", "path": CELL, "samples": []},
        {"type": "Tick", "at": "2026-11-23T07:30:00+00:00"},
    ]
    result = run(folder, text(*told), "--json")
    (stop,) = [r for r in documents(result) if r["class"] == "downtime"]
    assert (result.exit_code, stop["reason"], stop["reason_by"]) == (0, "jam", "file")
    assert stop["ended_at"] == "2026-11-23T07:30:00.000000+00:00"


# --- faults


FAULTS: dict[str, tuple[Any, str, str]] = {
    "bad JSON": ('{"type":', "bad_json", "this is no JSON"),
    "two objects": ("{} {}", "bad_json", "one JSON object a line is expected"),
    "a list": ("[1]", "wrong_type", "a JSON object is expected, not [1]"),
    "a number": ("7", "wrong_type", "a JSON object is expected, not 7"),
    "null": ("null", "wrong_type", "a JSON object is expected, not null"),
    "not UTF-8": (b'{"type": "\xff"}', "not_utf8", "save the file as UTF-8"),
    "no type": ({"path": CELL}, "unknown_type", "type is missing; there are Samples, Order"),
    "unknown type": (one() | {"type": "Sample"}, "unknown_type", "did you mean 'Samples'?"),
    "derived type": ({"type": "State", "path": CELL}, "unknown_type", 'type "State" is no raw record'),
    "no path": ({"type": "Samples", "samples": []}, "missing_key", "Samples: path is missing"),
    "null path": (one() | {"path": None}, "wrong_type", "path: text is expected, not null"),
    "no samples": ({"type": "Samples", "path": CELL}, "missing_key", "samples is missing"),
    "samples no list": (one() | {"samples": {}}, "wrong_type", "samples: a list is expected, not {}"),
    "sample no object": (one() | {"samples": [3]}, "wrong_type", "samples[0]: a JSON object is expected, not 3"),
    "extra field": (one() | {"sauce": "x"}, "unknown_key", "unknown key 'sauce'; did you mean 'source'?"),
    "extra field of a sample": (one(unit="kg"), "unknown_key", "samples[0]: unknown key 'unit'; there are tag, at"),
    "field of a fact missing": (
        fact("Shift", id="s", name="s", started_at="06:00"),
        "missing_key",
        "ended_at is missing",
    ),
    "field of wrong type": (fact("Order", id=7, product="p", started_at="06:00"), "wrong_type", "Expected `str`"),
    "tag no text": (one(tag=7), "wrong_type", "Expected `str`, got `int` - at `$.tag`"),
    "no offset": (one(at="2026-11-23T06:08:00"), "bad_time", "has no offset; write e.g. 2026-11-23T06:08:00Z"),
    "no time": (one(at="soon"), "bad_time", "time 'soon' is not ISO 8601"),
    "time a float": (one(at=1.5), "bad_time", "1.5 is no time"),
    "too early": (one(at="1999-12-31T23:59:59Z"), "out_of_range", "is outside 2000 to 2100"),
    "far too late": (one(at="9999-12-31T23:59:59-12:00"), "out_of_range", "is outside 2000 to 2100"),
    "seconds for microseconds": (one(at=1_795_413_600), "out_of_range", "whole numbers are microseconds since 1970"),
    "leap second": (one(at="2026-12-31T23:59:60Z"), "bad_time", "has a leap second"),
    "unknown machine": (one() | {"path": f"{LINE}/filer"}, "unknown_path", f"did you mean {CELL!r}?"),
    "bad path": (one() | {"path": "a//b"}, "unknown_path", "has an empty segment"),
    "samples of a line": (one() | {"path": LINE}, "unknown_path", f"that is a line; its machines are {CELL}"),
    "order of a site": (
        fact("Order", "acme/dallas", id="o", product="p", started_at="06:00"),
        "unknown_path",
        "the plant model has no such machine or line",
    ),
    "inspection of a line": (
        fact("Inspection", id="i", characteristic="c", at="06:00", value=1.0),
        "unknown_path",
        "that is a line",
    ),
    "NaN": (json.dumps(one(value=float("nan"))), "not_finite", "Good = nan: a whole number is expected"),
    "Infinity": (json.dumps(one(value=float("inf"))), "not_finite", "Good = inf"),
    "1e400": (json.dumps(one()).replace("50", "1e400"), "not_finite", "Good = inf"),
    "bool": (one(value=True), "wrong_type", "Good = True: a whole number is expected"),
    "text": (one(value="50"), "wrong_type", "Good = '50': a whole number is expected"),
    "a part": (one(value=1.5), "wrong_type", "Good = 1.5: a whole number is expected"),
    "negative": (one(value=-1), "out_of_range", "Good = -1"),
    "above 64 bits": (one(value=10**30), "out_of_range", "value does not fit 64 bits"),
    "more than a counter holds": (one(value=1 << 53), "out_of_range", "check the tag's modulus"),
    "a null count": (one(value=None), "wrong_type", "Good = None: a whole number is expected"),
    "a null state": (one(tag="State", value=None), "wrong_type", "State = None: a code is expected"),
    "a text that is no reason": (
        one(tag="Reason", value="x"),
        "unknown_code",
        "Reason = 'x': add the text to the tag's map",
    ),
    "a list as value": (one(value=[5]), "wrong_type", "a number, text, true, false or null is expected"),
    "quality as an unknown word": (one(quality="meh"), "wrong_type", 'quality "meh"; there are good, uncertain, bad'),
    "quality out of range": (one(quality=1 << 32), "out_of_range", "an OPC UA status code from 0 to 4294967295"),
    "huge code": (fact("Reason", CELL, id="r", code=10**30, started_at="06:08"), "out_of_range", "code does not fit"),
    "huge sequence": (one() | {"sequence": 10**30}, "out_of_range", "sequence does not fit 64 bits"),
    "ends before it begins": (
        fact("Order", id="o", product="p", started_at="06:08", ended_at="06:07"),
        "bad_interval",
        "Order o ends before it begins",
    ),
    "ideal cycle 0": (
        fact("Order", id="o", product="p", started_at="06:08", ideal_cycle_s=0),
        "out_of_range",
        "Order o",
    ),
    "break without a time": (
        {**fact("Shift", id="s", name="s", started_at="06:00", ended_at="07:00"), "breaks": [{"started_at": EIGHT}]},
        "missing_key",
        "Shift: breaks[0]: ended_at is missing",
    ),
    "inspection NaN": (
        json.dumps(fact("Inspection", CELL, id="i", characteristic="c", at="06:08", value=float("nan"))),
        "not_finite",
        "a finite number is expected",
    ),
    "no such alert": (fact("Acknowledge", CELL, alert="x", at="06:08", by="ann"), "unknown_alert", "'x' is no id"),
    "a tick without a time": ({"type": "Tick"}, "missing_key", "Tick: at is missing"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_line_and_the_rest_is_folded(folder: Path, fault: str) -> None:
    line, reason, message = FAULTS[fault]
    line = json.dumps(line) if isinstance(line, dict) else line
    first, last = (text(record).encode() for record in GOOD)
    result = run(folder, first + (line if isinstance(line, bytes) else line.encode()) + b"\n" + last, "--json")
    assert result.exit_code == 1, result.exception
    (words,) = said(result)
    assert words.startswith(f"uns: line 2: {reason}: ")
    assert message in words
    found = documents(result)
    (refused,) = [r for r in found if r["class"] == "quarantine"]
    assert (refused["line"], refused["reason"]) == (2, reason)
    assert message in refused["message"]
    usual = documents(run(folder, first + last, "--json"))
    left_out = ("inputs", "tags")
    assert [{k: v for k, v in r.items() if k not in left_out} for r in found if r is not refused] == [
        {k: v for k, v in r.items() if k not in left_out} for r in usual
    ]
    assert "Traceback" not in result.output


def test_an_unmapped_state_is_refused_and_counts_as_unknown(folder: Path) -> None:
    result = run(folder, text(GOOD[0], samples("06:30", State="FLY"), GOOD[1]), "--json")
    assert (result.exit_code, result.stderr.split(": ")[2]) == (1, "unmapped_state")
    assert [r["state"] for r in documents(result) if r["class"] == "state"] == ["execute", "unknown"]


def test_the_good_samples_of_a_record_with_a_bad_one_are_folded(folder: Path) -> None:
    record = samples("06:30", Good=30)
    record["samples"] += [
        {"tag": "State", "at": "yesterday", "value": "RUN"},
        {"tag": "Scrap", "at": EIGHT, "value": 0},
    ]
    result = run(folder, text(GOOD[0], record), "--json")
    assert result.stderr.startswith("uns: line 2: bad_time: samples[1]: at: ")
    assert pieces(documents(result)) == 30


def test_an_array_that_breaks_off_is_folded_up_to_there(folder: Path) -> None:
    array = "[\n" + ",\n".join(json.dumps(record) for record in GOOD) + ",\n{"
    result = run(folder, array, "--json")
    assert result.stderr.startswith("uns: line 4: bad_json: this is no JSON array, what follows is not read: ")
    assert pieces(documents(result)) == 100


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no-such-file", "--plant", "PLANT"], "no-such-file cannot be read"),
        (["FILE", "--plant", "no-such-folder"], "no-such-folder"),
        (["FILE", "--plant", "PLANT", "--until", "2026-11-23T06:00"], "--until: time"),
    ],
)
def test_what_cannot_be_read_ends_with_2(folder: Path, words: list[str], message: str) -> None:
    file = folder.parent / "history.jsonl"
    file.write_text(text(*GOOD))
    words = [{"PLANT": str(folder), "FILE": str(file)}.get(word, word) for word in words]
    result = CliRunner().invoke(app, ["fold", *words])
    assert result.exit_code == 2
    assert result.stderr.startswith("uns: ")
    assert message in result.stderr


def test_standard_input(folder: Path) -> None:
    result = CliRunner().invoke(app, ["fold", "-", "--plant", str(folder), "--json"], input=text(*GOOD))
    assert documents(result) == documents(run(folder, text(*GOOD), "--json"))


def test_the_table_shows_what_was_folded(folder: Path) -> None:
    told = [*GOOD, fact("Shift", id="s", name="early", started_at="06:00", ended_at="08:00")]
    shown = run(folder, text(*told)).stdout
    for expected in (CELL, "execute", "stopped", "100 good, 0 scrap", "shift s"):
        assert expected in shown


# --- whatever comes

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([CELL, LINE, "State", "Good", "RUN", EIGHT, "2026-11-23T07:00:00Z", 2**63, -1])
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))
keys = ("path", "samples", "id", "product", "started_at", "ended_at", "name", "breaks", "code", "at", "value", "alert")
sample = st.fixed_dictionaries({}, optional=dict.fromkeys(("tag", "at", "value", "quality"), scalars))
lines_ = st.fixed_dictionaries(
    {"type": st.sampled_from(["Samples", "Order", "Lot", "Shift", "Reason", "Inspection", "Tick", "Acknowledge"])},
    optional={key: values | st.lists(sample, max_size=3) if key == "samples" else values for key in keys},
)


@settings(max_examples=100, deadline=None)
@given(told=st.lists(lines_ | values, max_size=4))
def test_nothing_ends_with_a_traceback(told: list[Any]) -> None:
    from uns.history.file.documents import documents as written

    data = "\n".join(json.dumps(one) for one in [GOOD[0], *told, GOOD[1]]).encode()
    found = fold(plant(), read(data))
    assert all(json.loads(line)["class"] for line in written(found))


# --- packed files, mistyped tags, the last line


PACKED = {"gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress}


@pytest.mark.parametrize("kind", PACKED)
def test_a_packed_file_says_what_the_plain_one_says(folder: Path, kind: str) -> None:
    data = text(*GOOD, one(value="many", tag="State")).encode()
    plain = run(folder, data, "--json")
    assert pieces(documents(plain)) == 100
    parts = data.splitlines(keepends=True)
    several = PACKED[kind](parts[0]) + PACKED[kind](b"".join(parts[1:]))  # as after `cat a.gz b.gz`
    for packed in (PACKED[kind](data), several):
        result = run(folder, packed, "--json")
        assert (result.exit_code, result.stdout, result.stderr) == (1, plain.stdout, plain.stderr)


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_packed_file_cannot_be_read(folder: Path, kind: str, damage: str) -> None:
    packed = PACKED[kind](text(*GOOD).encode())
    middle = len(packed) // 2
    broken = packed[:middle] if damage == "cut" else packed[:12] + b"\xff" * 12 + packed[24:]
    result = run(folder, broken, "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "history.jsonl cannot be read: " in result.stderr


@pytest.mark.parametrize("kind", PACKED)
def test_what_stands_before_a_cut_is_folded(folder: Path, kind: str) -> None:
    odd = [one(value=sha256(str(n).encode()).hexdigest(), tag="Serial") for n in range(5_000)]
    packed = PACKED[kind](text(*GOOD, *odd).encode())
    result = run(folder, packed[: -len(packed) // 4], "--json")
    said = documents(result)
    assert (result.exit_code, pieces(said)) == (1, 100)
    (refusal,) = [document for document in said if document["class"] == "quarantine"]
    assert refusal["reason"] == "cut_off"
    assert len(GOOD) < refusal["line"] < len(GOOD) + len(odd)


def test_a_tag_that_resembles_one_of_the_type_is_said_once(folder: Path) -> None:
    told = [samples("06:00", Stat="RUN", Good=0), samples("07:00", Stat="STOP", good=5, Weather="fine")]
    result = run(folder, text(*told), "--json")
    assert result.exit_code == 0
    assert said(result) == [
        f"uns: {CELL}: tag 'Stat' is not read (2 samples); did you mean 'State'?",
        f"uns: {CELL}: tag 'good' is not read (1 samples); did you mean 'Good'?",
    ]


def test_the_last_line_sums_up(folder: Path) -> None:
    result = run(folder, text(*GOOD, one(at="yesterday"), one(at=EIGHT)) + "not json\n", "--json")
    count = sum(document["class"] != "quarantine" for document in documents(result))
    *_, summary = result.stderr.splitlines()
    assert summary == f"uns: 3 records with 5 samples folded, 2 refused; {count} records derived"
