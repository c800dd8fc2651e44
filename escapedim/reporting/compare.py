"""The report of `escapedim compare`: the verdict, the table of evidence, a sentence a row, the laws."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from escapedim.records.comparison import CompareResult, Prediction, Row
from escapedim.records.summary import Summary
from escapedim.reporting import laws, numbers, shares
from escapedim.reporting.numbers import TIE
from escapedim.reporting.page import Block, block, prose, write
from escapedim.reporting.table import Column, fitted

_UNITS = {"share": 100.0, "error": 100.0}
_JOINTS = (" ", "\n")


def render(summary: Summary, console: Console) -> None:
    """Print the report of a compare summary."""
    write(console, blocks(summary, console.width))


def blocks(summary: Summary, width: int) -> list[Block]:
    """Return the report for a console of `width` characters."""
    result = summary.result
    if not isinstance(result, CompareResult):
        raise TypeError(f"expected a compare result, found {type(result).__name__}")
    directional = [row for row in result.rows if row.kind == "directional"]
    descriptive = [row for row in result.rows if row.kind == "descriptive"]
    measured = [row for row in result.rows if row.direction != "not measured"]
    missing = [row for row in result.rows if row.direction == "not measured"]
    return [
        block(_heading(result, width)),
        block(_partial(result, width), "bold red"),
        block(prose(result.verdict.sentence, width), "bold"),
        block([*_directional(directional, result.margin, width), *prose(_legend(result), width)]),
        block(_descriptive([row for row in descriptive if row in measured], width)),
        *(block(prose(f"{row.key}: {_tied(row.sentence)}{_needed(row)}", width)) for row in measured),
        block(laws.lines(result.laws, width) if result.laws else []),
        block(_missing(missing, width)),
    ]


def _heading(result: CompareResult, width: int) -> list[str]:
    names = [f"{source.name} ({source.kind})" for source in result.sources]
    lines = prose(f"{result.task}: {numbers.listed(names)}.", width)
    for one in result.allowed:
        lines += prose(f"Permitted difference in {one.key}: {numbers.listed(one.values)}.", width)
    lost = [source.name for source in result.sources if source.not_merged]
    if lost:
        lines += prose(f"Merged: {numbers.listed(lost)}; quantiles and medians of losses and steps are not.", width)
    return lines


def _partial(result: CompareResult, width: int) -> list[str]:
    partial = [f"{source.name} is {source.status}" for source in result.sources if source.status != "complete"]
    if not partial:
        return []
    return prose(f"Partial: {numbers.listed(partial)}; all of this may change once it is complete.", width)


def _directional(rows: Sequence[Row], margin: float, width: int) -> list[str]:
    return fitted([*(_evidence(rows, margin, joint) for joint in _JOINTS), _narrow(rows, margin)], width, left=1)


def _evidence(rows: Sequence[Row], margin: float, joint: str) -> list[Column | None]:
    return [
        ("evidence", [row.key for row in rows]),
        ("measured", [_estimate(row, joint) for row in rows]),
        ("lottery tickets\npredict", [_prediction(row, row.prediction_tickets, margin, joint) for row in rows]),
        ("p", [shares.p_cell(row.p_tickets_holm) for row in rows]),
        ("escape dimensions\npredict", [_prediction(row, row.prediction_escape, margin, joint) for row in rows]),
        ("p", [shares.p_cell(row.p_escape_holm) for row in rows]),
        ("direction", [(row.direction or "").replace(" ", "\n") for row in rows]),
    ]


def _narrow(rows: Sequence[Row], margin: float) -> list[Column | None]:
    """Return the table with the p-values below the predictions."""

    def predicted(row: Row, prediction: Prediction | None, p: float | None) -> str:
        text = _prediction(row, prediction, margin, "\n")
        return text if p is None else f"{text}\np {shares.p_cell(p)}"

    tickets = [predicted(row, row.prediction_tickets, row.p_tickets_holm) for row in rows]
    escape = [predicted(row, row.prediction_escape, row.p_escape_holm) for row in rows]
    return [
        ("evidence", [row.key for row in rows]),
        ("measured", [_estimate(row, "\n") for row in rows]),
        ("lottery tickets\npredict", tickets),
        ("escape dimensions\npredict", escape),
        ("direction", [(row.direction or "").replace(" ", "\n") for row in rows]),
    ]


def _prediction(row: Row, prediction: Prediction | None, margin: float, joint: str) -> str:
    if prediction is None:
        return shares.MISSING
    text = {"as with noise alone": "noise alone", "0, both of the two": "0", "above 0, one of the two": "above 0"}.get(
        prediction.text, prediction.text
    )
    text = text.replace("above noise alone and fresh narrow networks", f"above noise,{joint}fresh narrow")
    if row.key == "escape" and prediction.low is not None and prediction.high is not None:
        # The range is the share ± the margin, cut off at 0 and 1.
        share = prediction.low + margin if prediction.low > 0 else prediction.high - margin
        return text if "above" in text else f"{text},{joint}{100 * share:.1f}"
    return text


def _estimate(row: Row, joint: str) -> str:
    """Return the estimate with its interval, shares in percent."""
    if row.estimate is None:
        return shares.MISSING
    scale = _UNITS.get(row.unit, 1.0)
    digits = 1 if scale > 1 else 2
    if row.interval is None:
        return f"{numbers.significant(scale * row.estimate)}"
    low, high = (scale * bound for bound in row.interval)
    return f"{scale * row.estimate:.{digits}f}{joint}({low:.{digits}f} to {high:.{digits}f})"


def _legend(result: CompareResult) -> str:
    return (
        f"Shares in %, with 95{TIE}% intervals; complement is A. p: of each prediction, Holm-corrected over all of "
        f"them; one is rejected at {100 * result.verdict.level:g}{TIE}%. 0, equal and above are taken within a margin "
        f"of {100 * result.margin:g} points, A within a quarter."
    )


def _descriptive(rows: Sequence[Row], width: int) -> list[str]:
    if not rows:
        return []
    columns: list[Column | None] = [
        ("description", [row.key for row in rows]),
        ("measured", [_estimate(row, " ") for row in rows]),
        ("unit", [{"share": "% points", "error": "% points"}.get(row.unit, row.unit) for row in rows]),
        ("by", [f"{row.observations:,}" if row.observations else shares.MISSING for row in rows]),
    ]
    notes = prose("Descriptions have no direction and no part in the verdict.", width)
    return [*fitted([columns], width, left=1), *notes]


def _tied(sentence: str) -> str:
    return sentence.replace(" %", f"{TIE}%").replace("p = ", f"p{TIE}={TIE}").replace("p < ", f"p{TIE}<{TIE}")


def _needed(row: Row) -> str:
    if row.direction != "undecided" or row.needed is None:
        return ""
    return f" About {row.needed:,} observations, {row.observations:,} now, would decide it if the estimate stayed."


def _missing(rows: Sequence[Row], width: int) -> list[str]:
    if not rows:
        return []
    lines = prose("Not measured, and the command that would:", width)
    for row in rows:
        reason = row.sentence.removeprefix("Not measured: ").removesuffix(".")
        lines += prose(f"  {row.key} ({reason}):", width, "    ")
        lines.append(f"    {row.command}")
    return lines
