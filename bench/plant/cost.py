"""What a plant of any size needs, computed from what `make bench-plant` has measured.

`python -m bench.plant.cost` prints the tables; with `--take build/bench-plant.json …` it first keeps the coefficients of
those runs in `bench/plant/measured.json`, and `--write` puts the tables into `docs/scale.md`. The model is a line a component:
CPU and memory that it takes at rest, and what each sample adds. It knows no queueing: it says what is used, and how much a core carries.
"""

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.plant.behind import BOUND_S
from bench.plant.machines import SAMPLES_S

ROOT = Path(__file__).parents[2]
MEASURED, PAGE = Path(__file__).with_name("measured.json"), ROOT / "docs" / "scale.md"
BEGIN, END = "<!-- figures: python -m bench.plant.cost --write -->", "<!-- end of figures -->"
TAGS = 20
"""Of a machine; it says some less than one value of each a second, for one of them is measured each ten seconds."""
ORDER = (
    "MQTT broker",
    "connector-plc",
    "Kafka",
    "processors",
    "rollups",
    "sink-historian",
    "PostgreSQL",
    "page",
    "registry",
)
"""The way of a sample."""
ONE_PROCESS = ("connector-plc", "sink-historian", "page", "rollups")
"""Where a core is the end, unless the model names a second one."""
LIVE_S = 2 * BOUND_S
SITES, SITE_TAGS = 100, 10_000
DAY_S = 86_400


class Coefficients(NamedTuple):
    """Of one component."""

    rest_cores: float
    us_sample: float
    """CPU, of each sample more."""
    rest_mb: float
    kb_tag: float

    def cores(self, samples_s: float) -> float:
        return self.rest_cores + self.us_sample * samples_s / 1e6

    def mb(self, tags: float) -> float:
        return self.rest_mb + self.kb_tag * tags / 1000

    @property
    def most_samples_s(self) -> float:
        """That one core carries."""
        return (1 - self.rest_cores) / self.us_sample * 1e6 if self.us_sample > 0 else float("inf")


def taken(document: Mapping[str, Any]) -> dict[str, Any]:
    """The coefficients of a run: a line through its trials, by component; of one trial alone all is by the sample.

    Raises `ValueError` where no trial has true results: what is wrong has no cost."""
    true = [one for one in document["trials"] if one["bytes"] and not one["problems"]]
    if not true:
        raise ValueError("no trial of this run came to an end with true results")
    # One that is far behind works off a queue, in batches that a live plant has not: cheaper than it is.
    trials = [one for one in true if max(one["behind_s"].values()) <= LIVE_S] or true
    components = {
        name: [
            round(each, 6)
            for each in _line([one["samples_s"] for one in trials], [one["parts"][name] for one in trials])
        ]
        for name in ORDER
        if all(name in one["parts"] for one in trials)
    }
    return {
        "trials": [
            {name: one[name] for name in ("machines", "seconds", "samples_s", "p99_s", "load", "idle_cores", "holds")}
            | {"us_sample": round(sum(one["parts"][name]["us_sample"] for name in ORDER if name in one["parts"]), 1)}
            | {"behind_s": max(one["behind_s"].values()), "fitted": one in trials}
            for one in true
        ],
        "components": components,
        "bytes": {name: round(value, 2) for name, value in trials[-1]["bytes"].items()},
        "peer": document.get("peer", {}),
        "replay": document.get("replay", {}),
    }


def together(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Several runs as one: all trials, and the last word on the rest."""
    trials = [one for document in documents for one in document.get("trials", [])]
    found = {name: value for document in documents for name, value in document.items()}
    return found | {"trials": sorted(trials, key=lambda one: one["machines"])}


def _line(rates: Sequence[float], parts: Sequence[Mapping[str, float]]) -> Coefficients:
    cores, memory = [part["cores"] for part in parts], [part["memory_mb"] for part in parts]
    tags = [rate / SAMPLES_S * TAGS for rate in rates]
    us, rest = _fitted(rates, cores)
    mb, rest_mb = _fitted(tags, memory)
    return Coefficients(rest, us * 1e6, rest_mb, mb * 1000)


def _fitted(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """(slope, rest), neither below 0."""
    if len(set(xs)) > 1:
        slope, rest = statistics.linear_regression(xs, ys)
        if slope >= 0 and rest >= 0:
            return slope, rest
        if slope < 0:
            return 0.0, statistics.fmean(ys)
    return sum(ys) / sum(xs), 0.0


def model(measured: Mapping[str, Any]) -> dict[str, Coefficients]:
    return {name: Coefficients(*values) for name, values in measured["components"].items()}


def bound(measured: Mapping[str, Any]) -> tuple[str, float]:
    """Of what is one process: which carries the fewest samples a second on its core, and how many."""
    most = {name: each.most_samples_s for name, each in model(measured).items() if name in ONE_PROCESS}
    first = min(most, key=lambda name: most[name])
    return first, most[first]


def cores(measured: Mapping[str, Any], samples_s: float) -> float:
    """Of all components together."""
    return sum(each.cores(samples_s) for each in model(measured).values())


def carried(measured: Mapping[str, Any], available: float) -> float:
    """Samples a second at which so many cores are used up."""
    rest, slope = cores(measured, 0), cores(measured, 1_000) - cores(measured, 0)
    return max(0.0, (available - rest) / slope * 1_000)


def tables(measured: Mapping[str, Any]) -> str:
    """Everything that is a figure on the page."""
    parts = {
        "Measured": _trials(measured),
        "Cost": _components(measured),
        "A million tags at a hundred sites": _site(measured),
        "Bytes": _data(measured),
        "Beside a peer": _peer(measured),
        "Ten times": _replay(measured),
    }
    return "\n\n".join(f"## {title}\n{text}" for title, text in parts.items() if text)


def _trials(measured: Mapping[str, Any]) -> str:
    rows = ["| machines | samples/s | s | p99 of a state, s | behind at most, s | CPU of all, µs a sample | load of the machine | cores idle | in time | in the line |", "|---|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for one in measured["trials"]:
        p99 = "–" if one["p99_s"] is None else f"{one['p99_s']:.2f}"
        rows.append(
            f"| {one['machines']:,} | {one['samples_s']:,.0f} | {one['seconds']} | {p99} | {one['behind_s']:.1f} | {one['us_sample']:.0f} "
            f"| {one['load']:.1f} | {one['idle_cores']:.1f} | {'yes' if one['holds'] else 'no'} | {'yes' if one['fitted'] else 'no'} |"
        )
    return "\n".join(rows)


def _peer(measured: Mapping[str, Any]) -> str:
    peer = measured["peer"]
    if "us_sample" not in peer:
        return f"Telegraf gave no figure: {peer['failed']}" if "failed" in peer else ""
    ours, rate = model(measured), peer["machines"] * SAMPLES_S
    rows = [f"The same {peer['machines']:,} machines for {peer['messages'] // peer['machines']} s by Telegraf {peer['version']}; of {peer['messages']:,} messages Kafka has {peer['in Kafka']:,}, PostgreSQL {peer['rows']:,} rows.", "", "| hop | Telegraf, µs of CPU a sample | ours at that rate | ours, what a sample adds | Telegraf, MB |", "|---|---|---|---|---|"]  # fmt: skip
    for hop, name in (("MQTT to Kafka", "connector-plc"), ("Kafka to PostgreSQL", "sink-historian")):
        own = ours[name].cores(rate) / rate * 1e6
        rows.append(
            f"| {hop} | {peer['us_sample'][hop]:.1f} | {own:.1f} | {ours[name].us_sample:.1f} | {peer['memory_mb'][hop]:.0f} |"
        )
    return "\n".join(rows)


def _replay(measured: Mapping[str, Any]) -> str:
    replay = measured["replay"]
    if not replay:
        return ""
    rows = [f"{replay['machines']} machines for {replay['seconds']} s, said again {replay['times']} times as fast.", "", "| worker | machines | samples/s | cores | µs a sample | by the model | behind at most, s | results |", "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    processors = model(measured)["processors"]
    for one in replay["workers"]:
        predicted = processors.cores(one["samples_s"]) / one["samples_s"] * 1e6
        verdict = "as made" if not one["problems"] else f"{len(one['problems'])} wrong"
        rows.append(
            f"| {one['partition']} | {one['machines']} | {one['samples_s']:,.0f} | {one['cores']:.2f} | {one['us_sample']:.1f} | {predicted:.1f} | {one['behind_s']:.1f} | {verdict} |"
        )
    return "\n".join(rows)


def _components(measured: Mapping[str, Any]) -> str:
    rows = ["| component | at rest, cores | a sample, µs of CPU | a tag and second, µs | at rest, MB | a tag, kB | one core carries, samples/s |", "|---|---|---|---|---|---|---|"]  # fmt: skip
    for name, each in model(measured).items():
        most = f"{each.most_samples_s:,.0f}" if each.us_sample > 0 else "–"
        tag_us = each.us_sample * SAMPLES_S / TAGS
        rows.append(
            f"| {name} | {each.rest_cores:.3f} | {each.us_sample:.1f} | {tag_us:.1f} | {each.rest_mb:.0f} | {each.kb_tag:.1f} | {most} |"
        )
    first, most_samples_s = bound(measured)
    rows.append(
        f"\nAll together: {sum(each.us_sample for each in model(measured).values()):.0f} µs a sample. Two cores are used up at "
        f"{carried(measured, 2):,.0f} samples/s. Of what is one process, **{first}** bounds first: {most_samples_s:,.0f} samples/s, "
        f"{most_samples_s / SAMPLES_S * TAGS:,.0f} tags."
    )
    return "\n".join(rows)


def _site(measured: Mapping[str, Any]) -> str:
    rate = SITE_TAGS / TAGS * SAMPLES_S
    rows = [
        f"| component | a site of {SITE_TAGS:,} tags, cores | MB | {SITES} sites, cores | GB |",
        "|---|---|---|---|---|",
    ]
    used = memory = 0.0
    for name, each in model(measured).items():
        site_cores, site_mb = each.cores(rate), each.mb(SITE_TAGS)
        used, memory = used + site_cores, memory + site_mb
        rows.append(
            f"| {name} | {site_cores:.2f} | {site_mb:,.0f} | {site_cores * SITES:.1f} | {site_mb * SITES / 1000:.1f} |"
        )
    rows.append(f"| **all** | {used:.2f} | {memory:,.0f} | {used * SITES:.0f} | {memory * SITES / 1000:.0f} |")
    return "\n".join(rows)


def _data(measured: Mapping[str, Any]) -> str:
    a_day = SITES * SITE_TAGS / TAGS * SAMPLES_S * DAY_S
    rows = ["| bytes | a sample | a site, MB/s | 100 sites, TB a day |", "|---|---|---|---|"]
    for name, size in measured["bytes"].items():
        rows.append(
            f"| {name} | {size:.1f} | {size * SITE_TAGS / TAGS * SAMPLES_S / 1e6:.2f} | {size * a_day / 1e12:.2f} |"
        )
    return "\n".join(rows)


def page(text: str, measured: Mapping[str, Any]) -> str:
    """The page with the tables of these coefficients. Raises `ValueError` where it has no place for them."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{BEGIN} … {END} is missing")
    return f"{before}{begin}\n{tables(measured)}\n{end}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.plant.cost", description=__doc__)
    parser.add_argument("--take", type=Path, nargs="+", help="files of `make bench-plant` whose coefficients are kept")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/scale.md")
    options = parser.parse_args()
    if options.take is not None:
        measured = taken(together([json.loads(file.read_text(encoding="utf-8")) for file in options.take]))
        MEASURED.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    print(tables(measured))
    if options.write:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), measured), encoding="utf-8")


if __name__ == "__main__":
    main()
