"""The line format of `uns fold` is total: whatever bytes a file holds, each line is a record or a refusal."""

import json

import msgspec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from schemas.records import RAW_TYPES
from tests.harness.fold_files import CELL, plant
from uns.history.file.documents import documents
from uns.history.file.fold import fold
from uns.history.file.read import FileRecord, Refusal, read
from uns.testing.text import NUMBERS, TEXTS, check_sendable, json_documents

KEYS = tuple(sorted({"type", "path", "samples", "tag", "at", "value", "quality", *(name for kind in RAW_TYPES for name in kind.__struct_fields__)}))  # fmt: skip
VALUES = NUMBERS | TEXTS | st.just("2026-11-23T06:00:00Z") | st.none()
SAMPLES = st.lists(st.fixed_dictionaries({"tag": TEXTS | st.just("State"), "at": VALUES, "value": VALUES}), max_size=3)


def _record(kind: str) -> st.SearchStrategy[dict[str, object]]:
    """Its own fields, most of the time, with whatever in them."""
    names = next(other.__struct_fields__ for other in RAW_TYPES if other.__name__ == kind)
    fields = {name: SAMPLES if name == "samples" else VALUES for name in names}
    return st.fixed_dictionaries(
        {"type": st.just(kind), "path": st.just(CELL) | TEXTS},
        optional=fields,
    )


LINE = (
    st.sampled_from([kind.__name__ for kind in RAW_TYPES])
    .flatmap(_record)
    .map(lambda plain: json.dumps(plain).encode())
    | json_documents(KEYS).map(lambda document: json.dumps(document).encode())
    | st.binary(max_size=60)
)
FILES = st.lists(LINE, max_size=4).map(b"\n".join) | st.lists(LINE, max_size=3).map(
    lambda lines: b"[" + b",".join(lines) + b"]"
)
HALF = "\\ud800"


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(FILES)
@example(
    f'{{"type": "Order", "path": "{CELL}", "id": "{HALF}", "product": "a", "started_at": 1795413600000000}}'.encode()
)
@example(f'{{"type": "Order", "path": "{HALF}", "id": "a", "product": "a", "started_at": 1795413600000000}}'.encode())
@example(f'{{"type": "Samples", "path": "{CELL}", "samples": [{{"tag": "{HALF}", "at": "soon"}}]}}'.encode())
@example(f'{{"type": "Shift", "path": "{CELL}", "breaks": [{{"{HALF}": 1}}]}}'.encode())
@example(b'{"type": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}")
def test_whatever_a_file_holds_each_line_is_a_record_or_a_refusal(data: bytes) -> None:
    read_lines = list(read(data))
    for item in read_lines:
        match item:
            case FileRecord(path=path, record=record):
                check_sendable(path, "path")
                msgspec.json.encode(record)
            case Refusal():
                check_sendable(f"{item.path}{item.tag}{item.reason}{item.message}", "refusal")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(FILES)
def test_and_what_is_read_folds(data: bytes) -> None:
    for document in documents(fold(plant(), read(data))):
        json.loads(document)
