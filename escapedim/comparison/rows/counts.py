"""`counts`: bad critical subspaces over subspaces of global minima, by width. A theorem about numbers, not volumes.

Şimşek et al. 2021 (arXiv 2105.12221). It needs the smallest width that solves the task, which a task with a teacher
gives and others do not.
"""

from __future__ import annotations

from escapedim.comparison.commands import again, command
from escapedim.comparison.rows.building import not_measured
from escapedim.comparison.study import Study
from escapedim.comparison.widths import failures
from escapedim.landscape.counting import MAX_WIDTH, Counts, counts
from escapedim.records.comparison import Measured, Row
from escapedim.tasks.registry import solved_by

_MOST = 1e300


def row(study: Study) -> Row:
    """Return the row; its estimate is the ratio at the largest width."""
    if study.of_family:
        needs = "the theorem is about one hidden layer"
        return not_measured("counts", False, "ratio", needs, command(study, "widen", {"--model": "mlp"}))
    minimal = study.minimal or solved_by(study.task)
    widths = [one.width for one in failures(study)]
    if not widths:
        return not_measured("counts", False, "ratio", "no width was scaled", command(study, "widen", {}))
    if minimal is None:
        return _unknown_minimal(study)
    within = [width for width in widths if minimal <= width <= MAX_WIDTH]
    measured = [_measured(found) for found in counts(minimal, within)]
    known = [one for one in measured if one.estimate is not None]
    if not known:
        needs = f"no width lies between the minimal width {minimal} and {MAX_WIDTH:,}"
        return not_measured("counts", False, "ratio", needs, _wider(study, minimal))
    first, last = known[0], known[-1]
    return Row(
        key="counts",
        kind="descriptive",
        estimate=last.estimate,
        interval=None,
        unit="ratio",
        observations=0,
        sentence=(
            f"Subspaces of bad critical points over those of global minima (minimal width {minimal}): "
            f"{first.estimate:.3g} at {first.what}, {last.estimate:.3g} at {last.what}; they are numbers, not volumes"
        ),
        method="closed form (Şimşek et al. 2021)",
        measured=measured,
    )


def _unknown_minimal(study: Study) -> Row:
    needs = "the smallest width that solves the task is not known"
    solved = next((one.width for one in failures(study) if one.failed < one.members), None)
    if solved is None:
        return not_measured(
            "counts", False, "ratio", f"{needs}, and no network succeeded", _wider(study, 2 * failures(study)[-1].width)
        )
    needs = f"{needs}; {solved} is the smallest here of which a network succeeded"
    return not_measured("counts", False, "ratio", needs, again(study, {"--minimal": str(solved)}))


def _wider(study: Study, width: int) -> str:
    return command(study, "widen", {"--widths": f"{width}:{width + 4}"})


def _measured(found: Counts) -> Measured:
    value = float(found.ratio) if found.ratio < _MOST else None
    return Measured(what=f"width {found.width}", x=found.width, estimate=value, interval=None, observations=0)
