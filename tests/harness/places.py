"""Hypothesis strategies for segments and paths, and a plant to change in tests."""

from typing import Any

from hypothesis import strategies as st

from topology.namespace.classes import RESERVED
from topology.namespace.path import Level, Path


def segments() -> st.SearchStrategy[str]:
    """Every segment that the namespace takes, the longest (32) among them."""
    return st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True).filter(
        lambda text: text not in RESERVED
    )


def paths(shallowest: Level = Level.ENTERPRISE, deepest: Level = Level.CELL) -> st.SearchStrategy[Path]:
    """Paths of any level between two."""
    return st.lists(segments(), min_size=shallowest, max_size=deepest).map(lambda parts: Path.parse("/".join(parts)))


def model() -> dict[str, Any]:
    """Two sites, three areas, one machine in each, as a plant folder would say it."""
    line = {"lines": {"line-1": {"cells": {"filler": "filler"}}}}
    return {
        "namespace": {
            "enterprise": "acme",
            "sites": {
                "dallas": {"areas": {"packaging": {"partitions": 2, **line}, "stamping": line}},
                "leipzig": {"areas": {"packaging": line}},
            },
        },
        "types": {"filler": {"ideal_cycle_s": 6.0, "tags": {"State": {"role": "state"}}}},
    }
