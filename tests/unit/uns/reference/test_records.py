"""Written pages are current."""

from pathlib import Path

from schemas.records import TYPES
from uns.reference.records import records_page

PAGE = Path(__file__).parents[4] / "docs" / "records.md"


def test_the_records_page_is_what_the_schemas_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == records_page(), "write it anew: uns docs"


def test_every_record_and_every_field_inside_it_is_told() -> None:
    page = records_page()
    for name, struct in TYPES.items():
        section = page.partition(f"## {name}\n")[2].partition("\n## ")[0]
        assert all(f"| `{field}` |" in section for field in struct.__struct_fields__)
        assert "|  |" not in section, "every field has a meaning"
    assert "| `tags.value` | boolean or long or double or string or null |" in page
    assert "| `ended_at` | time? |" in page
    assert "| `element_us` | map of long |" in page
