"""Records of every kind, and many samples and stops, as a sink gets them."""

import random

from schemas.records import Derived, Samples
from sinks.base import Delivery
from tests.harness.records import EXAMPLES
from tests.integration.sinks.series.writing import deliveries, some
from topology.namespace.classes import MessageClass
from uns.testing.sinks import T, downtime

PATH = "acme/dallas/packaging/line-1/filler"


def stops(count: int) -> list[Delivery]:
    return deliveries([(PATH, downtime(number, 0, f"reason {number}", PATH)) for number in range(count)])


def every_record(first: int = 0) -> list[Delivery]:
    """The examples of all derived records, and of samples."""
    found = [each for each in EXAMPLES if isinstance(each, Derived | Samples)]
    return [
        Delivery(
            "examples", 0, first + offset, PATH if isinstance(each, Samples) else each.path, MessageClass.RAW, each, T
        )
        for offset, each in enumerate(found)
    ]


def some_of_all(count: int = 300) -> list[Delivery]:
    """With corrections, and samples of one time that came again."""
    made = deliveries(some(count, random.Random(13)))
    return [*made, *every_record(len(made))]
