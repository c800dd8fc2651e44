import itertools
from dataclasses import replace

import pytest


@pytest.fixture
def tool(script, monkeypatch):
    """Commands that take 2 s to start, 1 s to run, 1 ms a member, and 1 µs a network step; their arguments."""
    times = script("benchmarking.processes").ToolTimes
    asked = []

    def run(arguments, folder, summary):
        asked.append(list(arguments))
        given = dict(itertools.pairwise(arguments))
        members, steps = int(given.get("--replicates", 0)), int(given.get("--steps", "0it").removesuffix("it"))
        run_s = (1 + 1e-3 * members + 1e-6 * members * steps) / int(given.get("--jobs", 1))
        return times(run_s + 2, run_s, members * steps, 300.0)

    for module in ("scale_row", "commands_row"):
        monkeypatch.setattr(script(f"benchmarking.{module}"), "run_command", run)
    return asked


def test_a_size_is_taken_apart(script, tool, tmp_path):
    size = script("benchmarking.scale_row").measure_size(tmp_path, 1000, 4, alone_s=1.0)
    assert size.step_us == pytest.approx(1.0)
    assert size.member_ms == pytest.approx(1.0)
    assert size.start_s == pytest.approx(3.0)
    assert size.peak_rss_mb == 300.0


@pytest.mark.parametrize(("full", "most"), [(False, (10_000, 1024)), (True, (1_000_000, 4096))])
def test_scale_has_members_widths_and_jobs(script, tool, monkeypatch, full, most):
    scale_row, timing = script("benchmarking.scale_row"), script("benchmarking.timing")
    monkeypatch.setattr(scale_row, "usable_cores", lambda: 2)
    row = scale_row.measure_scale(timing.Scale(repeats=2, full=full))
    assert (max(size.members for size in row.sizes), max(size.width for size in row.sizes)) == most
    assert row.jobs_ratio.ratio == pytest.approx((4 + 2) / (4 / 2 + 2))
    shown = [line for block in script("benchmarking.report_more").scale_blocks(row) for line in block.lines]
    assert max(map(len, shown)) <= 80
    assert "--jobs 2 ends 1.50 times as soon as --jobs 1" in " ".join(shown)
    monkeypatch.setattr(scale_row, "usable_cores", lambda: 1)
    assert scale_row.measure_scale(timing.Scale(repeats=1)).jobs_ratio is None


def test_default_commands_are_run_and_compare_reads_what_the_others_wrote(script, tool):
    rows = script("benchmarking.commands_row").measure_commands(script("benchmarking.timing").Scale(repeats=2))
    expected = [
        ["prune", "--force", "--quiet"],
        ["rewind", "lottery.json", "--force", "--quiet"],
        ["widen", "--force", "--quiet"],
        ["compare", "lottery.json", "widen.json", "--quiet"],
    ]
    assert tool == 2 * expected
    assert [(row.command, row.wall_s.median, row.at_most_s) for row in rows] == [
        ("prune", 3.0, 15.0),
        ("rewind lottery.json", 3.0, 20.0),
        ("widen", 3.0, 45.0),
        ("compare lottery.json widen.json", 3.0, 3.0),
    ]
    slow = [
        replace(row, wall_s=script("benchmarking.timing").Spread.of([1000.0]), peak_rss_mb=10_000.0) for row in rows
    ]
    shown = [line for block in script("benchmarking.report_more").commands_blocks(slow) for line in block.lines]
    assert max(map(len, shown)) <= 80
