"""The plant model that `uns init` writes: one machine, every line explained."""

from pathlib import Path

from uns.errors import UserError

NAMESPACE = """\
# What is where: enterprise/site/area/line/cell (ISA-95). Names hold a-z, 0-9 and inner '-'.
namespace:
  enterprise: my-company
  sites:
    my-site:
      areas:
        my-area:
          lines:
            line-1:
              cells:
                machine-1: machine # cell name: equipment type, defined in types.yaml

# Who works when; time outside is not planned and costs no OEE. Without a calendar all time is planned.
# shifts:
#   my-site:
#     filter: my-company/my-site/#
#     zone: Europe/Berlin
#     shifts:
#       early: {begin: "06:00", end: "14:00", days: [mon, tue, wed, thu, fri], breaks: [{begin: "09:00", end: "09:30"}]}
#     exceptions: [{day: 2026-12-24, until: 2026-12-26, name: Christmas}]
"""
TYPES = """\
# What machines of a kind share. List the tags that the folds shall read; every other tag is carried on as it is.
types:
  machine:
    tags: {}
    # tags:
    #   State:     {role: state, map: packml}    # or your own codes: map: {0: stopped, 1: execute, 2: held}
    #   GoodParts: {role: good_count}            # a counter; a fall is a reset, `modulus: 65536` a roll-over
    #   BadParts:  {role: scrap_count}
    #   StopCode:  {role: reason}
    #   Weight:    {role: characteristic, unit: g, lsl: 98, usl: 102}
    ideal_cycle_s: 1.0    # planned time per piece where the order gives none
    silent_after_s: 60    # without any sample for so long the state is unknown
    micro_stop_s: 300     # a shorter stop is a micro stop
    reasons: {}           # e.g. {201: {name: drive fault, category: breakdown}}
"""
OPCUA = """\
# Who publishes. The variables below a node become tags, by browse name; or list them: tags: {{State: "ns=2;i=7"}}
connectors:
  machine-1:
    protocol: opcua
    config:
      url: {url}
      publish_interval_ms: 250
      machines:
        - {{path: my-company/my-site/my-area/line-1/machine-1, node: "i=85"}} # i=85: everything below Objects
"""
MQTT = """\
# Who publishes. Payload `samples`: {{"at": "2026-11-23T06:00:00Z", "values": {{"State": 6, "GoodParts": 17}}}}
connectors:
  machine-1:
    protocol: mqtt
    config:
      broker: {url}
      client_id: uns-machine-1
      subscriptions:
        - {{topic: "my-site/machine-1/data", path: my-company/my-site/my-area/line-1/machine-1, payload: samples}}
"""


def write(folder: Path, opcua: str | None, mqtt: str | None) -> list[Path]:
    """Writes the files and returns them. Raises `UserError` rather than touch a file that is there."""
    source = MQTT.format(url=mqtt) if mqtt else OPCUA.format(url=opcua)
    contents = {"namespace.yaml": NAMESPACE, "types.yaml": TYPES, "connectors.yaml": source}
    if taken := [name for name in contents if (folder / name).exists()]:
        raise UserError(f"{folder} has {', '.join(taken)} already; name another folder: uns init NAME")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in contents]
