"""PackML states by name, and the numberings that sources use for them.

Names and `packml` numbers follow ISA-TR88.00.02 as OPC 30050's node set publishes them. Other numberings are in use
(OPC 30060 counts Stopped 0, Resetting 1, …): a source that uses one lists it in its tag's `map`.
"""

from collections.abc import Mapping

_TR88 = (
    "unknown",
    "clearing",
    "stopped",
    "starting",
    "idle",
    "suspended",
    "execute",
    "stopping",
    "aborting",
    "aborted",
    "holding",
    "held",
    "unholding",
    "suspending",
    "unsuspending",
    "resetting",
    "completing",
    "complete",
)

STATES = frozenset(_TR88)
_SPELLED: Mapping[int | str, str] = {
    spelled: name for name in _TR88 for spelled in (name, name.capitalize(), name.upper())
}
CODE_MAPS: Mapping[str, Mapping[int | str, str]] = {"packml": {**dict(enumerate(_TR88)), **_SPELLED}}
"""Name → code → state; a state's own name stands for it, too: execute, Execute or EXECUTE."""
