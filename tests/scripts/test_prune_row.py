import sys
from contextlib import nullcontext

import pytest

from escapedim.errors import EscapedimError


@pytest.fixture(scope="module")
def prune_row(script):
    return script("benchmarking.prune_row")


def test_the_faster_plain_loop_is_compared(script, prune_row, monkeypatch):
    tool = prune_row.ToolTimes(wall_s=2.0, run_s=1.5, net_steps=205_000, peak_rss_mb=100.0)
    monkeypatch.setattr(prune_row, "run_tool", lambda setting: tool)
    monkeypatch.setattr(prune_row, "DEFAULT_THREADS", 2)
    monkeypatch.setattr(prune_row, "threads", lambda count: nullcontext())  # two threads crawl where cores are busy
    row = prune_row.measure_prune(script("benchmarking.timing").Scale(repeats=2, plain_steps=50), full=False)
    assert (row.net_steps, row.plain_net_steps) == (205_000, 50)
    assert [plain.threads for plain in row.plain] == [1, 2]
    assert row.ratio.ratio == min(plain.all_s.median for plain in row.plain) / 2.0
    assert row.training_ratio.ratio == row.plain[0].training_s.median / row.engine_training_s.median


def test_failed_tool_is_said(prune_row, setting, monkeypatch):
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(EscapedimError, match=r"prune --rounds 10 --force --quiet .* ended with code 1"):
        prune_row.run_tool(setting.of(rounds=10))
