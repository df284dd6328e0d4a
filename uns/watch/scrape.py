"""Reading what other processes of ours tell on their /metrics endpoints."""

import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from http.client import HTTPException

from prometheus_client import Metric
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from uns.watch.health import TIMEOUT_S, why


class Unreachable(OSError):
    """An endpoint that does not answer as ours do; the message says which and why."""


def families(address: str) -> list[Metric]:
    """The metric families of one process; `address` is `http://host:port`. Raises `Unreachable`."""
    url = f"{address.rstrip('/').removesuffix('/metrics')}/metrics"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            return list(text_string_to_metric_families(answer.read().decode()))
    except (OSError, ValueError, HTTPException) as error:
        raise Unreachable(f"{url}: {why(error)}") from error


class Gathered(Collector):
    """The metrics of several processes as one exposition, each sample with the label `worker`."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        """Name → address."""
        self._addresses = addresses

    def collect(self) -> Iterator[Metric]:
        merged: dict[str, Metric] = {}
        up = GaugeMetricFamily("uns_worker_up", "whether a worker's metrics could be read", labels=["worker"])
        for worker, address in self._addresses.items():
            try:
                told: Iterable[Metric] = families(address)
            except Unreachable:
                up.add_metric([worker], 0)
                continue
            up.add_metric([worker], 1)
            for family in told:
                whole = merged.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    whole.samples.append(sample._replace(labels={**sample.labels, "worker": worker}))
        yield up
        yield from merged.values()
