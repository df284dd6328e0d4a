"""The assertions of the Sparkplug 3.0 specification that concern a host application, by the ids of its test kit."""

PREFIX = "tck-id-"
_STATE = ("topic", "payload", "qos", "retained")
_HOST = "operational-behavior-host-application"
_DEATH = "operational-behavior-edge-node-termination-host-action"
_COMMANDS = "operational-behavior-data-commands"
_SERVERS = "operational-behavior-primary-application-state-with-multiple-servers"

CONNECT = (
    f"{_HOST}-connect-will",
    *(f"{_HOST}-connect-will-{what}" for what in _STATE),
    "payloads-state-will-message",
    *(f"payloads-state-will-message-{what}" for what in ("qos", "retain", "payload")),
    "message-flow-phid-sparkplug-clean-session-311",
    "message-flow-phid-sparkplug-clean-session-50",
    *(f"host-topic-phid-death-{what}" for what in ("required", "topic", "qos", "retain", "payload")),
    "host-topic-phid-death-payload-timestamp-connect",
)
BIRTH = (
    *(
        f"host-topic-phid-birth-{what}"
        for what in ("message", "sub-required", "required", "topic", "qos", "retain", "payload", "payload-timestamp")
    ),
    f"{_HOST}-connect-birth",
    *(f"{_HOST}-connect-birth-{what}" for what in _STATE),
    *(
        f"message-flow-phid-sparkplug-{what}"
        for what in ("subscription", "state-publish", "state-publish-payload", "state-publish-payload-timestamp")
    ),
    *(f"payloads-state-{what}" for what in ("subscribe", "birth", "birth-payload")),
    "components-ph-state",
    "intro-sparkplug-host-state",
    "conformance-primary-host",
)
OFFLINE = ("message-flow-hid-sparkplug-state-message-delivered",)
TERMINATION = (
    f"{_HOST}-termination",
    *(f"{_HOST}-death-{what}" for what in _STATE),
    f"{_HOST}-disconnect-intentional",
    "host-topic-phid-death-payload-timestamp-disconnect-clean",
    "host-topic-phid-death-payload-timestamp-disconnect-with-no-disconnect-packet",
)
EDGE_DEATH = tuple(
    f"{_DEATH}-{what}"
    for what in (
        "ndeath-node-offline",
        "ndeath-node-tags-stale",
        "ndeath-devices-offline",
        "ndeath-devices-tags-stale",
        "ddeath-devices-offline",
        "ddeath-devices-tags-stale",
    )
)
ORDER = (
    *(f"operational-behavior-host-reordering-{what}" for what in ("param", "start", "rebirth", "success")),
    *(f"{_COMMANDS}-ncmd-rebirth-{what}" for what in ("verb", "name", "value")),
)
COMMANDS = (
    *(f"topics-{kind}-{what}" for kind in ("ncmd", "dcmd") for what in ("topic", "mqtt", "timestamp", "payload")),
    *(f"payloads-{kind}-{what}" for kind in ("ncmd", "dcmd") for what in ("timestamp", "seq", "qos", "retain")),
    *(f"{_COMMANDS}-{kind}-{what}" for kind in ("ncmd", "dcmd") for what in ("verb", "metric-name", "metric-value")),
    "payloads-name-cmd-requirement",
)
SERVERS = (f"{_SERVERS}-state", f"{_SERVERS}-state-subs", f"{_HOST}-multi-server-timestamp")
EDGE_RULES = (
    *(f"topics-nbirth-bdseq-{what}" for what in ("included", "matching", "increment")),
    "payloads-ndeath-bdseq",
    "payloads-ndeath-seq",
    "payloads-ddeath-seq-inc",
)
ASSERTIONS = tuple(
    PREFIX + name
    for names in (CONNECT, BIRTH, OFFLINE, TERMINATION, EDGE_DEATH, ORDER, COMMANDS, SERVERS, EDGE_RULES)
    for name in names
)
