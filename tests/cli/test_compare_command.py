"""`escapedim compare`, from summaries to compare.json, its report, its gates and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from escapedim.records import summary
from tests.cli.conftest import Cli, result_of
from tests.comparison import cases


def write(path: Path, made: summary.Summary) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(summary.encode(made))
    return path.name


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    full = cases.widen(
        isolation=[cases.isolation(7, 620, 180, 20, 180)],
        complement=[cases.complement(7, [3, 2, 4, 1] * 10)],
        escape=[cases.escape(6, 36, 0, 40)],
        restarts=[cases.restarts()],
    )
    return [
        write(tmp_path / "lottery.json", cases.lottery()),
        write(tmp_path / "widen.json", full),
        write(tmp_path / "rewind.json", cases.rewind()),
    ]


def flat(text: str) -> str:
    return " ".join(text.split())


def test_everything_is_measured_and_said(cli: Cli, tmp_path, files):
    before = {name: (tmp_path / name).read_bytes() for name in files}
    ended = cli("compare", *files)
    assert ended.code == 0, ended.err
    assert {name: (tmp_path / name).read_bytes() for name in files} == before
    document = json.loads((tmp_path / "compare.json").read_text())
    jsonschema.validate(document, summary.json_schema())
    result = document["result"]
    assert [row["key"] for row in result["rows"]] == [
        "isolation", "complement", "escape", "literal_tickets", "effective_tickets", "restarts", "equal_parameters",
        "instability", "counts",
    ]  # fmt: skip
    assert all(row["estimate"] is not None for row in result["rows"])
    directions = {row["key"]: row["direction"] for row in result["rows"]}
    assert directions["escape"] == "escape"
    assert directions["counts"] is None
    assert {source["kind"] for source in result["sources"]} == {"lottery", "widen", "rewind"}
    for row in result["rows"]:
        assert row["sentence"].rstrip(".").split(".")[0] in flat(ended.out).replace("\n", " ")
    assert flat(result["verdict"]["sentence"]) in flat(ended.out)


def test_the_order_of_files_does_not_matter(cli: Cli, tmp_path, files):
    assert cli("compare", *files).code == 0
    assert cli("compare", *reversed(files), "--out", "other.json").code == 0
    one, other = (json.loads((tmp_path / name).read_text()) for name in ("compare.json", "other.json"))
    assert one["result"] == other["result"]
    assert one["id"] == other["id"]


def test_the_report_of_compare_json_is_that_of_compare(cli: Cli, files):
    ended = cli("compare", *files)
    assert cli("report", "compare.json").out == ended.out


def test_json_is_strict_and_alone_on_standard_output(cli: Cli, files):
    ended = cli("compare", *files, "--json")
    document = json.loads(ended.out, parse_constant=pytest.fail)
    assert document["kind"] == "compare"
    assert "Of 4 directional rows" in flat(ended.err)
    assert cli("compare", *files, "--quiet").out == ""


@pytest.mark.parametrize(
    ("gate", "code"), [("effective_tickets>1", 3), ("effective_tickets>1e9", 0), ("escape==escape", 3)]
)
def test_a_gate_ends_with_3_and_the_summary_is_written(cli: Cli, tmp_path, files, gate, code):
    ended = cli("compare", *files, "--fail-if", gate, "--quiet")
    assert ended.code == code
    assert ("is true" in ended.err) == (code == 3)
    assert (tmp_path / "compare.json").exists()


def test_a_gate_on_what_was_not_measured_says_so(cli: Cli, tmp_path):
    name = write(tmp_path / "widen.json", cases.widen())
    ended = cli("compare", name, "--fail-if", "escape>0.5", "--quiet")
    assert ended.code == 0
    assert "cannot be told: escape has no estimate" in ended.err


def test_a_running_summary_is_partial(cli: Cli, tmp_path):
    running = cases.widen().model_copy(update={"status": "running"})
    ended = cli("compare", write(tmp_path / "widen.json", running))
    assert ended.code == 0
    assert "Partial: widen.json is running" in flat(ended.out)


def test_shards_are_merged_and_say_what_is_lost(cli: Cli, tmp_path):
    names = [
        write(tmp_path / f"{seed}.json", cases.widen({6: 50 + seed, 7: 20}, 100, seed=seed, identity=f"{seed:016x}"))
        for seed in range(3)
    ]
    ended = cli("compare", *names)
    assert ended.code == 0, ended.err
    (source,) = result_of(tmp_path / "compare.json")["sources"]
    assert [(one["members"], one["successes"]) for one in source["result"]["widths"]] == [(300, 147), (300, 240)]
    assert source["not_merged"] == ["loss_quantiles", "moved_quantiles", "median_steps"]
    assert "3 widen summaries; quantiles and medians" in flat(ended.out)


def _two_tasks(folder: Path) -> tuple[str, ...]:
    other = cases.lottery("d" * 16, task="digits")
    return write(folder / "a.json", cases.lottery()), write(folder / "b.json", other)


def _newer(folder: Path) -> tuple[str, ...]:
    raw = json.loads(summary.encode(cases.widen())) | {"schema": "escapedim.summary/2"}
    (folder / "newer.json").write_text(json.dumps(raw))
    return ("newer.json",)


def test_files_may_be_listed_in_a_file(cli: Cli, tmp_path, files):
    assert cli("compare", *files, "--out", "named.json").code == 0
    (tmp_path / "list.txt").write_text("\n".join(files[1:]) + "\n\n")
    assert cli("compare", files[0], "@list.txt", "--out", "listed.json").code == 0
    assert result_of(tmp_path / "listed.json") == result_of(tmp_path / "named.json")
    ended = cli("compare", "@none.txt")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "expected @ and a file with the path of a summary on each line" in ended.err


def test_counts_whose_sum_is_no_count_are_refused(cli: Cli, tmp_path):
    document = json.loads(summary.encode(cases.widen(isolation=[cases.isolation(7, 620, 180, 20, 180)])))
    del document["digest"]
    (entry,) = document["result"]["isolation"]
    entry["table"] |= {key: 2**62 for key in entry["table"] if key != "p"}
    (tmp_path / "large.json").write_text(json.dumps(document))
    ended = cli("compare", "large.json")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "numbers too large to compute with" in ended.err


def _text(folder: Path, text: str) -> tuple[str, ...]:
    (folder / "text.json").write_text(text)
    return ("text.json",)


REFUSED = {
    "no file": (lambda folder: ("none.json",), "cannot read none.json"),
    "not json": (lambda folder: _text(folder, "hello"), "not a complete JSON file"),
    "no summary": (lambda folder: _text(folder, '{"a": 1}'), "not an escapedim summary"),
    "a newer schema": (_newer, "escapedim.summary/2"),
    "twice": (lambda folder: 2 * (write(folder / "widen.json", cases.widen()),), "named twice"),
    "two tasks": (_two_tasks, "differ in task (task: relu-teacher:k=6 in a.json, digits in b.json)"),
    "train only": (
        lambda folder: (
            write(
                folder / "train.json",
                cases.summary(
                    "train",
                    {
                        "success_criterion": "x", "parameters": 1, "members": 0, "successes": 0, "success_rate": None,
                        "success_interval": None, "endings": {}, "replicates": [], "train_loss": [], "success": [],
                        "ending": [], "kept_steps": [],
                    },
                ),
            ),
        ),
        "found train summaries only",
    ),
    "a base width": (lambda folder: (write(folder / "widen.json", cases.widen()), "--base-width", "5"), "6, 7, 8, 9"),
    "a key": (lambda folder: (write(folder / "widen.json", cases.widen()), "--allow", "lrr"), "did you mean 'lr'"),
    "a gate": (lambda folder: (write(folder / "widen.json", cases.widen()), "--fail-if", "x"), "expected a condition"),
    "its own place": (
        lambda folder: (write(folder / "widen.json", cases.widen()), "--out", "widen.json"),
        "is one of the summaries",
    ),
    "over another file": (
        lambda folder: (write(folder / "widen.json", cases.widen()), "--out", *_text(folder, "mine")),
        "is not a complete escapedim summary",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_one_sentence_and_loses_nothing(cli: Cli, tmp_path, case):
    make, words = REFUSED[case]
    arguments = make(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    ended = cli("compare", *arguments)
    assert ended.code == 2
    assert words in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_comparison_is_not_compared_again(cli: Cli, files):
    assert cli("compare", *files, "--quiet").code == 0
    ended = cli("compare", "compare.json", "--out", "other.json")
    assert ended.code == 2
    assert "is a comparison already" in ended.err


@pytest.mark.parametrize(
    "failed", [{6: 0, 7: 0}, {6: 100, 7: 100}, {6: 40}, {6: 0}], ids=["none", "all", "one width", "one and none"]
)
@pytest.mark.parametrize("members", [1, 100])
def test_what_cannot_be_told_is_not(cli: Cli, tmp_path, failed, members):
    counts = {width: min(count, members) for width, count in failed.items()}
    made = cases.widen(counts, members, isolation=[cases.isolation(7, 0, 0, 0, 0)], escape=[cases.escape(6, 0, 0, 0)])
    ended = cli("compare", write(tmp_path / "widen.json", made), "--json")
    assert ended.code == 0, ended.err
    document = json.loads(ended.out, parse_constant=pytest.fail)
    assert document["result"]["verdict"]["directions"]["tickets"] == 0
    assert document["result"]["verdict"]["directions"]["escape"] == 0
    assert document["result"]["laws"]["preferred"] is None


def test_compare_imports_no_torch(tmp_path, files):
    code = (
        "import sys; from escapedim.cli.main import app, run; "
        "code = run(lambda: app(['compare', 'lottery.json', 'widen.json', '--quiet'])); "
        "assert code == 0; assert 'torch' not in sys.modules; assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
