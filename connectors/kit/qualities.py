"""Option: what the words of a source for the quality of its values mean. To be mixed into whatever brings them."""

from pydantic import Field, field_validator

from connectors.base import ConnectorConfig
from schemas.records import GOOD

BAD, UNCERTAIN = 0x80000000, 0x40000000


class Qualities(ConnectorConfig):
    """A word is one by itself, capitals or not."""

    qualities: dict[str, int] = Field(
        {"good": GOOD, "uncertain": UNCERTAIN, "bad": BAD, "true": GOOD, "false": BAD},
        description="word or number that says a quality → OPC UA status code, capitals or not. A number not among them is a "
        "code itself",
        examples=[{"192": 0, "0": 0x80000000}],
    )

    @field_validator("qualities")
    @classmethod
    def _codes(cls, codes: dict[str, int]) -> dict[str, int]:
        if any(not 0 <= code < 2**32 for code in codes.values()):
            raise ValueError("a quality is an OPC UA status code, 0 to 4294967295")
        return {word.strip().casefold(): code for word, code in codes.items()}

    def code(self, word: str) -> int | None:
        """The status code that a word means; None: it is no quality."""
        code = self.qualities.get(word.casefold())
        if code is None and word.isascii() and word.isdigit() and len(word) <= 10 and int(word) < 2**32:
            return int(word)
        return code
