"""Payloads as no friend would send them, near to those that are meant: for the fuzzers of whatever brings payloads."""

import json

from hypothesis import strategies as st

from connectors.kit.message import FACTS
from uns.testing.text import NUMBERS, TEXTS, json_documents

KEYS = tuple(sorted({"values", "samples", "tag", "at", "value", "quality", "breaks", *(name for kind in FACTS.values() for name in kind.__struct_fields__)}))  # fmt: skip
DOCUMENTS = json_documents(KEYS).map(lambda document: json.dumps(document).encode())
FIELDS = st.dictionaries(st.sampled_from(KEYS), NUMBERS | TEXTS | st.just("2026-11-23T06:00:00Z"), max_size=8)
PAYLOADS = (
    st.binary(max_size=60)
    | DOCUMENTS
    | FIELDS.map(lambda fields: json.dumps(fields).encode())
    | DOCUMENTS.map(lambda payload: payload.decode().encode("utf-16"))
    | FIELDS.map(lambda fields: json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass"))
)
