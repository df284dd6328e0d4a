"""What every derived record carries."""

from typing import ClassVar

import msgspec


class Inputs(msgspec.Struct, frozen=True, gc=False):
    """The raw records a number rests on."""

    topic: str
    partition: int
    first_offset: int
    last_offset: int


class Derived(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What every derived record carries. `id` minus its revision (`natural_id`) names the fact; revisions replace each other."""

    message_class: ClassVar[str]
    """The class it goes under; no other type has it."""
    id_kind: ClassVar[str] = ""
    """What the kind in its ids begins with, where that is not the class: ids outlive the names of classes."""

    id: str
    path: str
    started_at: int
    ended_at: int | None
    definition: str
    status: str
    revision: int
    inputs: Inputs

    @property
    def natural_id(self) -> str:
        return self.id.rpartition(":")[0]

    @property
    def withdrawn(self) -> bool:
        """Taken back: it should never have been, and must not count."""
        return self.ended_at == self.started_at
