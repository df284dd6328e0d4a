"""From when a sample was due to when its derived record reaches a `read_committed` consumer, at constant rates."""

import sys
import time
import uuid

from confluent_kafka import TopicPartition

from bench.cluster import Failed, cpu_s
from bench.engines import OWN_CLASSES, START_S, child, folder_of, worker
from bench.figures import Bench, Figure, median

RAW, STATE, AREA = "uns.acme.bench.latency.raw", "uns.acme.bench.latency.state", "acme/bench/latency"
RATES = {1_000: 50.0, 20_000: 100.0}
"""Samples a second → the most p99 may be, in ms."""
LEAD_S, WARM_S, GRACE_S = 2.0, 2.0, 30.0


def measure(bench: Bench) -> list[Figure]:
    figures = []
    for rate, reach in RATES.items():
        runs = []
        for _ in range(bench.runs):
            p50, p99, note = _run(bench, rate)
            bench.say(f"latency at {rate:,} samples/s: p50 {p50:.0f} ms, p99 {p99:.0f} ms; {note}")
            bench.keep(f"latency at {rate}", p50_ms=p50, p99_ms=p99, note=note)
            runs.append((p50, p99, note))
        name = f"produce to visible at {rate:,} samples/s"
        figures.append(Figure(f"{name}, p50", median([run[0] for run in runs]), "ms"))
        worst = median([run[1] for run in runs])
        figures.append(Figure(f"{name}, p99", worst, "ms", reach, at_most=True, note=runs[-1][2]))
    return figures


def _run(bench: Bench, rate: int) -> tuple[float, float, str]:
    """p50 and p99 in ms."""
    cluster, folder = bench.cluster, folder_of(bench.cluster, "latency")
    cluster.make(RAW)
    cluster.prepare_area(RAW, OWN_CLASSES)
    count, warm = int(rate * (bench.seconds + WARM_S)), int(rate * WARM_S)
    process = worker(cluster, folder, RAW, f"bench-latency-{uuid.uuid4().hex[:8]}")
    reader = cluster.reader()
    generator = None
    try:
        deadline = time.monotonic() + START_S
        while not (folder / "begun-0").exists():
            if not process.alive or time.monotonic() > deadline:
                raise Failed(f"the worker does not begin: {' '.join(process.tail(3))[-400:]}")
            time.sleep(0.02)
        reader.assign([TopicPartition(STATE, 0, 0)])
        begin_s = time.time() + LEAD_S
        used = cpu_s(process.pid)
        arguments = [cluster.bootstrap, RAW, AREA, str(rate), str(count), str(begin_s)]
        generator = child(folder, "generator", [sys.executable, "-m", "bench.generator", *arguments])
        delays_s: list[float] = []
        seen, ends = 0, begin_s + count / rate + GRACE_S
        while seen < count:
            messages = reader.consume(10_000, 0.002)
            now = time.time()
            for message in messages:
                if message.error() is not None:
                    continue
                if seen >= warm:
                    # The id says when: …#state@<µs>~bench@1:0
                    text = message.value()
                    at = text.index(b"#state@") + 7
                    delays_s.append(now - int(text[at : text.index(b"~", at)]) / 1e6)
                seen += 1
            if now > ends or not process.alive:
                raise Failed(f"{seen:,} of {count:,} outputs at {rate:,} samples/s; {' '.join(process.tail(2))[-300:]}")
        used = cpu_s(process.pid) - used
        while generator.alive and time.monotonic() < deadline + count / rate:
            time.sleep(0.02)
        behind_s = float(generator.tail(1)[0].split()[0])
    finally:
        reader.close()
        if generator is not None:
            generator.stop()
        process.stop(10.0)
    delays_s.sort()
    note = f"worker {used / (count / rate):.0%} of a core; the generator was {behind_s * 1000:.0f} ms behind at most"
    return delays_s[len(delays_s) // 2] * 1000, delays_s[int(len(delays_s) * 0.99)] * 1000, note
