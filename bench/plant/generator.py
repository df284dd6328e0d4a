"""The machines as a process: `python -m bench.plant.generator BROKER BEGIN_MS MACHINES SECONDS`, each message when it is due.

Prints one line of JSON: messages and bytes of payload, how far behind it was at most, its CPU seconds.
"""

import json
import sys
import time

from bench.connectors.job import DEADLINE_S, client
from bench.plant import machines

SLICE_S = 0.01


def main(broker: str, begin_ms: int, count: int, seconds: int) -> None:
    sent = size = 0
    behind_s = 0.0
    with client(broker, "bench-machines") as publisher:
        last = None
        for second in range(seconds):
            for number in range(count):
                at = machines.at_ms(begin_ms, count, number, second)
                due_s = at / 1000 - time.time()
                if due_s > 0:
                    time.sleep(max(due_s, SLICE_S))
                    due_s = 0.0
                behind_s = max(behind_s, -due_s)
                payload = machines.message(at, machines.values(number, second))
                last = publisher.publish(machines.topic(number), payload, qos=1)
                sent += 1
                size += len(payload)
        if last is not None:
            last.wait_for_publish(DEADLINE_S)
    print(json.dumps({"messages": sent, "bytes": size, "behind_s": behind_s, "cpu_s": time.process_time()}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
