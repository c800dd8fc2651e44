"""`escapedim report` with files: from real summaries to figures and pages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import TINY, Cli, result_of

NO_TORCH = """
import sys
from escapedim.cli.main import app, run
code = run(lambda: app({arguments!r}, prog_name='escapedim'))
assert "torch" not in sys.modules and "matplotlib.pyplot" not in sys.modules
sys.exit(code)
"""


WRITTEN: dict[str, bytes] = {}


@pytest.fixture
def summaries(cli: Cli, tmp_path: Path) -> None:
    """Summaries of small runs in the working folder; the runs are made once for all tests."""
    if not WRITTEN:
        assert cli("prune", "--rounds", "2", *TINY).code == 0
        small = ("--steps", "20it", "--replicates", "6", "--jobs", "1", "--widths", "2,3")
        assert cli("widen", "--task", "xor", *small, "--isolate", "none", "--complement", "none").code == 0
        WRITTEN.update({name: Path(name).read_bytes() for name in ("lottery.json", "widen.json")})
    for name, data in WRITTEN.items():
        (tmp_path / name).write_bytes(data)


def test_everything_from_real_summaries(cli: Cli, summaries, tmp_path: Path):
    outputs = ("--figures", "figs", "--html", "r.html", "--markdown", "r.md", "--csv", "csv")
    ended = cli("report", "lottery.json", "widen.json", *outputs)
    assert ended.code == 0
    assert "Invariants hold" in ended.out
    assert "wrote figs/density.{png,pdf,svg}" in ended.err
    assert "skipped barriers: no barrier in these files; `escapedim rewind lottery.json` measures it" in ended.err
    assert {"density.png", "density.pdf", "density.svg", "overview.pdf"} <= {one.name for one in Path("figs").iterdir()}
    rounds = Path("csv/lottery-rounds.csv").read_text().splitlines()
    assert len(rounds) == 1 + sum(len(entry["arms"]) for entry in result_of(tmp_path / "lottery.json")["rounds"])
    assert Path("r.html").read_text().startswith("<!DOCTYPE html>")
    assert "](<figs/density.png>)" in Path("r.md").read_text()


def test_standard_output_stays_strict_json(cli: Cli, summaries):
    plain = cli("report", "lottery.json", "--json").out
    assert cli("report", "lottery.json", "--json", "--csv", "csv").out == plain


def test_a_summary_is_not_replaced_by_a_page(cli: Cli, summaries):
    before = Path("lottery.json").read_bytes()
    ended = cli("report", "lottery.json", "--html", "lottery.json")
    assert ended.code == 2
    assert ended.err.startswith("escapedim: --html lottery.json is a file that escapedim did not write")
    assert Path("lottery.json").read_bytes() == before


def test_neither_torch_nor_pyplot_is_imported(summaries, tmp_path: Path):
    code = NO_TORCH.format(arguments=["report", "lottery.json", "--html", "r.html"])
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ended.returncode == 0, ended.stderr
