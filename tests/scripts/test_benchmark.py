import importlib.util
import json
import math
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from escapedim.errors import EscapedimError

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("benchmark_script", SCRIPT)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def run(script, tmp_path):
    def run(*arguments):
        file = tmp_path / "benchmark.json"
        ended = CliRunner().invoke(script.app, [*arguments, "--json", str(file)])
        return ended, json.loads(file.read_text()) if file.exists() else None

    return run


def assert_quotient(ratio, plain, tool):
    assert ratio["ratio"] == plain["median"] / tool["median"]
    pairs = [slow / fast for slow, fast in zip(plain["values"], tool["values"], strict=True)]
    assert (ratio["min"], ratio["max"]) == (min(pairs), max(pairs))
    assert ratio["min"] <= ratio["ratio"] <= ratio["max"]


def assert_spread(spread, repeats):
    assert len(spread["values"]) == repeats
    assert 0 < spread["min"] <= spread["median"] <= spread["max"]


def test_steps_row(run):
    ended, report = run("--rows", "steps", "--members", "1,3", "--net-steps", "6", "--repeats", "2")
    assert ended.exit_code == 0, ended.output
    assert set(report["rows"]) == {"steps"}
    assert [(row["members"], row["steps"]) for row in report["rows"]["steps"]] == [(1, 6), (3, 5)]
    for row in report["rows"]["steps"]:
        assert_spread(row["plain_ms"], 2)
        for stack in (row["shared"], row["own"]):
            assert_spread(stack["net_step_ms"], 2)
            assert_quotient(stack["ratio"], row["plain_ms"], stack["net_step_ms"])
            assert f"{stack['ratio']['ratio']:.2f} ×" in ended.stdout


def test_threads_are_given_back(script):
    with script.threads(2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 1


def test_report_says_where_it_was_measured(script):
    said = script.machine()
    assert (
        said["versions"]["torch"] == torch.__version__.split("+")[0] or said["versions"]["torch"] == torch.__version__
    )
    assert {"argv", "started", "git", "cpu", "cores", "torch_threads"} <= set(said)


def test_prune_row_takes_the_faster_plain_loop(script, monkeypatch, capsys):
    tool = script.ToolTimes(wall_s=2.0, run_s=1.5, net_steps=205_000, peak_rss_mb=100.0)
    monkeypatch.setattr(script, "run_tool", lambda setting: tool)
    monkeypatch.setattr(script, "DEFAULT_THREADS", 2)
    monkeypatch.setattr(script, "threads", lambda count: nullcontext())  # two threads crawl where cores are busy
    row = script.measure_prune(script.Scale(repeats=2, plain_steps=50), full=False)
    assert (row.net_steps, row.plain_net_steps) == (205_000, 50)
    assert [plain.threads for plain in row.plain] == [1, 2]
    faster = min(plain.all_s.median for plain in row.plain)
    assert row.ratio.ratio == faster / 2.0
    assert row.training_ratio.ratio == row.plain[0].training_s.median / row.engine_training_s.median
    script.show_prune(row, Console(width=100))
    assert "timed over 50 network steps of rounds 0 and 1, and scaled up by 4100.0" in " ".join(
        capsys.readouterr().out.split()
    )


def test_share_of_the_work_is_scaled_by_networks_and_steps(script):
    whole = script.Setting.of(rounds=10)  # 5 dense networks and 200 pruned ones of 1,000 steps
    share = script.Setting.of(rounds=1, replicates=1, steps="100it")
    spent = script.Spent(dense_s=[1.0], pruned_s=[2.0, 2.0, 3.0, 3.0], rest_s=0.5)
    training_s = 10 * (5 * 1.0 + 200 * 2.5)
    assert spent.scaled(share, whole) == (training_s, training_s + 0.5 * 205 / 5)
    assert script.Spent([1.0] * 5, [2.0] * 200, 3.0).scaled(whole, whole) == (405.0, 408.0)


def test_plain_masks_remove_the_smallest_survivors_of_every_layer(script):
    plan = script.Setting.of(fraction=0.5, output_fraction=0.25).plan
    masks = [torch.tensor([[1.0, 1, 0], [1, 1, 0]]), torch.ones(1, 2), torch.ones(1, 4)]
    scores = [torch.tensor([[4.0, 3, 0], [2, 1, 0]]), torch.tensor([[1.0, 2]]), torch.tensor([[3.0, 1, 2, 4]])]
    kept = script.plain_masks(plan, masks, scores)
    assert [mask.tolist() for mask in kept] == [[[1, 1, 0], [0, 0, 0]], [[0, 1]], [[1, 0, 1, 1]]]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("apply_masks", lambda tensors, masks: None),
        ("plain_masks", lambda plan, masks, scores: masks),
        ("plain_train", lambda setting, network, order, steps, masks: 1.0),
        ("engine_job", None),
    ],
)
def test_nothing_is_timed_where_the_sides_do_different_work(script, run, monkeypatch, name, wrong):
    job = script.engine_job
    monkeypatch.setattr(script, name, wrong or (lambda setting, rows, own_orders: job(setting, rows, not own_orders)))
    ended, report = run("--rows", "steps", "--members", "1", "--net-steps", "1")
    assert (ended.exit_code, report) == (1, None)
    assert "they do not do the same work, and nothing was timed" in ended.stderr


def test_parameters_that_are_not_numbers_differ(script):
    with pytest.raises(EscapedimError, match="differ by nan"):
        script._hold("a stack", torch.tensor([math.nan]), torch.tensor([math.nan]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rows", "steps,prunes"], "--rows takes prune, steps, found 'steps,prunes'."),
        (["--rows", ""], "--rows takes prune, steps, found ''."),
        (["--members", "1,0"], "--members takes whole numbers from 1 on, such as 1,8,64, found '1,0'."),
        (["--members", "x"], "found 'x'."),
    ],
)
def test_wrong_usage(run, arguments, message):
    ended, report = run(*arguments)
    assert (ended.exit_code, report) == (2, None)
    assert message in ended.stderr


def test_failed_tool_is_said(script, monkeypatch):
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(EscapedimError, match=r"prune --rounds 10 --force --quiet .* ended with code 1"):
        script.run_tool(script.Setting.of(rounds=10))
