"""Which days are compacted: in small steps while they are written to, once when they are over."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sinks.lake.tidy import QUIET, SMALL_FILES, STEP, File, Merge, plan

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
TODAY, YESTERDAY = date(2026, 11, 29), date(2026, 11, 28)
TARGET = 128_000_000


def files(count: int, day: date, size: int = 1000, ago: timedelta = QUIET, site: str | None = "dallas") -> list[File]:
    return [File(site, day, size, NOW - ago)] * count


def test_today_waits_for_many_small_files() -> None:
    assert plan(files(SMALL_FILES - 1, TODAY), NOW, TARGET) == []
    assert plan(files(SMALL_FILES, TODAY), NOW, TARGET) == [Merge("dallas", TODAY, TARGET // STEP, False)]
    assert plan(files(99, TODAY, TARGET // STEP), NOW, TARGET) == []


def test_a_day_that_is_over_is_made_whole_once_it_is_quiet() -> None:
    assert plan(files(2, YESTERDAY, TARGET // 4), NOW, TARGET) == [Merge("dallas", YESTERDAY, TARGET, True)]
    assert plan(files(1, YESTERDAY), NOW, TARGET) == []
    assert plan(files(9, YESTERDAY, TARGET), NOW, TARGET) == []
    late = [*files(1, YESTERDAY), *files(1, YESTERDAY, ago=timedelta(0))]
    assert plan(late, NOW, TARGET) == []
    assert plan(late * SMALL_FILES, NOW, TARGET) == [Merge("dallas", YESTERDAY, TARGET // STEP, False)]


def test_each_site_and_day_by_itself_the_oldest_first() -> None:
    found = plan([*files(2, YESTERDAY, site=None), *files(2, date(2026, 1, 1)), *files(2, YESTERDAY)], NOW, TARGET)
    assert [(merge.site, merge.day) for merge in found] == [("dallas", date(2026, 1, 1)), (None, YESTERDAY), ("dallas", YESTERDAY)]  # fmt: skip


@given(st.lists(st.integers(1, 3 * TARGET), max_size=40), st.booleans())
def test_what_was_merged_is_not_merged_again(sizes: list[int], today: bool) -> None:
    """Files below the target go together into bins of at most its size; then the plan is empty, or has fewer files."""
    group = [File("dallas", TODAY if today else YESTERDAY, size, NOW - QUIET) for size in sizes]
    for _ in range(len(sizes) + 1):
        merges = plan(group, NOW, TARGET)
        if not merges:
            return
        (merge,) = merges
        kept = [file for file in group if file.bytes >= merge.target_bytes]
        bins: list[int] = []
        for file in sorted(group, key=lambda file: file.bytes):
            if file.bytes < merge.target_bytes:
                if bins and bins[-1] + file.bytes <= merge.target_bytes:
                    bins[-1] += file.bytes
                else:
                    bins.append(file.bytes)
        merged = [*kept, *(file._replace(bytes=size) for file, size in zip(group, bins, strict=False))]
        assert len(merged) < len(group)
        group = merged
    raise AssertionError("it never ends")
