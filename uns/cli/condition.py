"""`uns condition replace | life`: when to replace a part by its age, and how long one lasts by what was measured."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uns.cli.app import UserError, app, emit, group
from uns.cli.options import JsonOption

if TYPE_CHECKING:
    from processors.condition.life import Shape

condition = group(
    "Condition of machines, from files: remaining life, and replacement by age.",
    dict.fromkeys(("replace", "life"), "condition"),
)
app.add_typer(condition, name="condition")


@condition.command()
def replace(
    lives: Annotated[
        Path,
        typer.Argument(help="CSV with a head: `age` (in any one unit) and `failed` (1; 0 for a part that still ran)"),
    ],
    ratio: Annotated[float, typer.Option("--price-ratio", help="what a failure costs by what a planned one does")],
    as_json: JsonOption = False,
) -> None:
    """Fit a Weibull to lives of a part, failed or not, and find the age at which to replace it costs least."""
    from processors.condition.replacement import TooFew, age_to_replace, fit

    rows = _rows(lives, ("age", "failed"))
    try:
        life = fit([age for age, failed in rows if failed], [age for age, failed in rows if not failed])
        best = age_to_replace(life, ratio)
    except (TooFew, ValueError) as error:
        raise UserError(f"{lives}: {error}") from None
    failures = sum(bool(failed) for _, failed in rows)
    told = {
        "failures": failures,
        "lives": len(rows),
        "scale": life.scale,
        "shape": life.shape,
        "mean_life": life.mean,
        "price_ratio": ratio,
        "replace_at": best.age,
        "saving": best.saving,
    }
    if best.age is None:
        advice = "run to failure: the part does not age, or a failure costs too little"
    else:
        advice = f"replace at {best.age:.4g}; saves {best.saving:.1%} beside running to failure"
    text = (
        f"Weibull of {failures} failures, {len(rows)} lives: scale {life.scale:.4g}, shape {life.shape:.3f}\n{advice}"
    )
    emit(told) if as_json else typer.echo(text)


@condition.command()
def life(
    values: Annotated[Path, typer.Argument(help="CSV with a head: `at` (a number, in any unit of time) and `value`")],
    limit: Annotated[float, typer.Option(help="value at which it has failed")],
    falls: Annotated[bool, typer.Option("--falls", help="whether values come to the limit from above")] = False,
    shape: Annotated[str, typer.Option(help="auto, linear or exponential")] = "auto",
    confidence: Annotated[float, typer.Option(min=0.5, max=0.99, help="of the interval")] = 0.9,
    as_json: JsonOption = False,
) -> None:
    """Foretell the remaining life of one unit from what was measured, from its last value on."""
    from processors.condition.life import RemainingLife

    if shape not in ("auto", "linear", "exponential"):
        raise UserError(f"--shape {shape}: auto, linear or exponential is expected")
    known: Shape = shape  # type: ignore[assignment]
    bank = RemainingLife(limit, not falls, known)
    for at, value in sorted(_rows(values, ("at", "value"))):
        bank.update(at, value)
    told = bank.forecast(confidence)
    if told is None:
        raise UserError(f"{values}: {bank.number} values; 8 are needed before anything can be said")
    text = f"no significant trend (P(none) = {told.no_trend:.3f}): no remaining life"
    if told.median is not None or told.low is not None:
        low, median, high = ("beyond" if each is None else f"{each:.5g}" for each in (told.low, told.median, told.high))
        text = f"remaining life {median} ({confidence:.0%}: {low} to {high}), in the unit of `at`"
    emit(told._asdict()) if as_json else typer.echo(text)


def _rows(file: Path, columns: tuple[str, str]) -> list[tuple[float, float]]:
    """Two columns of numbers."""
    import csv
    import math

    made: list[tuple[float, float]] = []
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            for number, row in enumerate(csv.DictReader(lines), 2):
                made.append(_pair(file, number, row, columns))
    except OSError as error:
        raise UserError(f"{file}: {error.strerror or error}") from None
    if not all(math.isfinite(each) for pair in made for each in pair):
        raise UserError(f"{file}: a value is no finite number")
    return made


def _pair(file: Path, number: int, row: dict[str, Any], columns: tuple[str, str]) -> tuple[float, float]:
    try:
        return float(row[columns[0]]), float(row[columns[1]])
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{file}, line {number}: numbers {columns[0]} and {columns[1]} are expected") from None
