"""Every command of README and docs runs, in small; in the `docs` run what is shown is what they print."""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import documentation
import pytest
from documentation import renew
from documenting.difference import difference
from documenting.page import Page, Step, Unclear, pages
from documenting.pictures import unlike

import escapedim
from escapedim.cli.main import app, run
from escapedim.reporting.export import export

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = pages(ROOT)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
SOON_DONE = ("docs/commands/count.md",)
SMALL = ["--steps", "20it", "--replicates", "2", "--jobs", "1"]
SMALL_OPTIONS = {"train": SMALL, "prune": SMALL, "widen": SMALL, "rewind": ["--jobs", "1"], "sweep": ["--jobs", "1"]}
SMALLER_PLAN = (
    ("500it", "20it"),
    ("rounds: 5", "rounds: 1"),
    ("round: 5", "round: 1"),
    ("replicates: 5", "replicates: 2"),
    ("replicates: 30", "replicates: 4"),
    ('"6:12"', '"9:10"'),
)
RATES = ROOT / "docs" / "commands" / "sweep.md"
SMALLER_STEP = ("replicates: 20, steps: 1000it", "replicates: 2, steps: 20it")  # of a plan that a page writes itself


def smaller_plans(folder: Path) -> None:
    """Copy the plans, and make the one that the pages run small."""
    shutil.copytree(ROOT / "sweeps", folder / "sweeps")
    text = (folder / "sweeps" / "quick.yaml").read_text()
    for large, small in SMALLER_PLAN:
        assert large in text
        text = text.replace(large, small)
    (folder / "sweeps" / "quick.yaml").write_text(text)


def small(arguments: list[str]) -> list[str]:
    """Return a command of few and short trainings."""
    command = next((word for word in arguments if word in SMALL_OPTIONS), "")
    trains = not {"--slurm", "--status", "--collect", "--help"}.intersection(arguments)
    if command == "widen" and not {"--widths", "--from"}.intersection(arguments):
        arguments = [*arguments, "--widths", "6:8"]  # of which the digits take 7 to isolate
    if command == "prune" and "mnist1d" in arguments:
        arguments = [*arguments, "--rounds", "2"]
    return arguments + SMALL_OPTIONS.get(command, []) if trains else arguments


def do(step: Step, more: list[str]) -> int:
    """Run a step in the working folder."""
    if step.language == "python":
        return subprocess.run([sys.executable, "-c", step.text], check=False).returncode
    words = shlex.split(step.text)
    if words[0] == "python":
        return subprocess.run(
            [sys.executable, *(word.replace(*SMALLER_STEP) for word in words[1:])], check=False
        ).returncode
    return run(lambda: app(small(words[1:]) + more))


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_every_command_runs(path, tmp_path, monkeypatch, capsys, forked_runs, estimated_here):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(export, "FORMATS", ("svg",))  # drawing takes longest; one format shows that it works
    smaller_plans(tmp_path)
    steps = Page.read(path).steps
    assert path != RATES or any(SMALLER_STEP[0] in step.text for step in steps)
    for step in steps:
        assert do(step, []) in (0, 3), (step.text, capsys.readouterr().err)
    prose = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    for text in re.findall(r"`(escapedim [a-z]+ [^`]*)`", prose):
        files = re.findall(r"\S+\.json", text)
        if re.search(r"\b[A-Z]{2,}\b|\.\.\.|…", text) or not all(Path(file).exists() for file in files):
            continue  # FILE, PLAN
        plain = "report" in text or "count" in text or "doctor" in text or "--help" in text or "compare" in text
        assert do(Step("bash", text), [] if plain else ["--dry-run"]) in (0, 3), (text, capsys.readouterr().err)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(page, id=name, marks=[] if name in SOON_DONE else [pytest.mark.docs])
        for page, name in zip(PAGES, NAMES, strict=True)
    ],
)
def test_what_is_shown_is_what_is_printed(path):
    assert renew(path, check=True) == []


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_every_link_leads_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", path.read_text()):
        assert target.startswith("https://") or (path.parent / target).exists(), target


def test_every_block_of_output_says_where_it_comes_from():
    for path in PAGES:
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            if line == "```text":
                assert lines[number - 1].startswith("<!-- "), f"{path}, line {number + 1}"


def test_every_picture_is_made_by_exactly_one_page():
    made = Counter(figure.shown.resolve() for path in PAGES for figure in Page.read(path).figures)
    shown = {
        (path.parent / target).resolve()
        for path in PAGES
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", path.read_text())
    }
    assert set(made.values()) == {1}
    assert set(made) == shown == {path.resolve() for path in (ROOT / "docs" / "figures").iterdir()}


def test_messages_under_troubleshooting_are_those_of_the_package():
    package = " ".join(path.read_text() for path in (ROOT / "escapedim").rglob("*.py")) + os.strerror(errno.ENOSPC)
    for title in re.findall(r"^### `([^`]+)`$", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE):
        for words in re.split(r" *\.\.\. *|[:,;(]", title.removeprefix("escapedim:")):
            assert words.strip() in package or "command not found" in words, (title, words)


def test_all_places_that_name_the_version_name_the_same():
    assert f"\nversion: {escapedim.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    released = escapedim.__version__.partition(".dev")[0]
    assert re.search(rf"^## {re.escape(released)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_one_line_installs_and_one_tests():
    set_up = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert set_up == [
        "python3 -m venv .venv && source .venv/bin/activate && pip install -e .",
        "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/pytest -n 2",
    ]
    assert len(README.splitlines()) < 200


def test_ci_runs_exactly_the_test_line():
    pattern = re.search(r"grep -m 1 -E '([^']+)' README.md", (ROOT / ".ci" / "run").read_text())
    assert pattern
    matching = [line for line in README.splitlines() if re.search(pattern[1], line)]
    assert len(matching) == 1
    assert matching[0].endswith(".venv/bin/pytest -n 2")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


PAGE = """# A page

<!-- output: escapedim count --minimal 2 | minimal | width -->
```text
old
```

```bash
escapedim count --minimal 2 && escapedim doctor  # both
```

<!-- not run: needs a cluster -->
```bash
escapedim sweep plan.yaml --submit
```

<!-- figure: figures/a.png -->
![A](b.png)
"""


def test_an_end_in_the_middle_of_a_sentence_is_told(page):
    page.write_text(PAGE.replace("| minimal | width", "| minimal | here"))
    (shown,) = Page.read(page).shown
    with pytest.raises(Unclear, match="in the middle of a paragraph"):
        shown.cut("minimal 2, and\nhere it goes on.\n")
    assert shown.cut("minimal 2, and\nhere  3\n") == ["minimal 2, and"]
    assert shown.cut("minimal 2  and\nhere it goes on.\n") == ["minimal 2  and"]
    with pytest.raises(Unclear, match="would end the block"):
        shown.cut("minimal 2\n```\n\nhere\n")


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    return path


SESSION = """```bash
escapedim count --minimal 2 --widths 2:3
```

<!-- output: escapedim count --minimal 2 --widths 2:3 | width -->
```text
```

<!-- figure: drawn.svg -->
![Drawn](shown.png)

```python
from shutil import copy

copy("DRAWING", "drawn.svg")
```
"""


@pytest.fixture(scope="module")
def drawing(tmp_path_factory):
    """What the session draws: drawn once, since a process that imports matplotlib takes longest."""
    return drawn(tmp_path_factory.mktemp("drawing") / "line.png", values=(0, 1))


def drawn(path, values=(0, 0, 1), size=(4, 3), **how):
    from matplotlib.figure import Figure

    figure = Figure(figsize=size)
    figure.add_subplot().plot(values, **{"color": "C0", **how})
    figure.savefig(path, dpi=300)
    return path


@pytest.fixture
def session(tmp_path, monkeypatch, drawing):
    """A page outside the repository, with a root of its own."""
    monkeypatch.setattr(documentation, "ROOT", tmp_path)
    (tmp_path / "sweeps").mkdir()
    path = tmp_path / "page.md"
    path.write_text(SESSION.replace("DRAWING", str(drawing)))
    return path


def test_a_page_is_made_and_then_is_what_is_printed(session):
    before = session.read_text()
    (difference, *more) = renew(session, check=True)
    assert "page.md: line 7: 0 words are shown" in difference
    assert more == ["page.md: shown.png: it is not there"]
    assert renew(session, check=False) == []
    text = session.read_text()
    assert text.startswith(before.partition("```text\n")[0] + "```text\nwidth")
    assert text.endswith(before.partition("```text\n")[2])
    assert renew(session, check=True) == []
    session.write_text(text.replace("\nwidth", "\ndepth"))
    drawn(session.parent / "shown.png", values=(1, 0))
    (difference, other) = renew(session, check=True)
    assert "'depth" in difference
    assert "of the colour is elsewhere" in other


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ""),
        ({"values": [0, 0.01, 1]}, ""),
        ({"color": "C1"}, "of the colour"),
        ({"linewidth": 0}, "of the colour"),
        ({"values": [0, 1, 0]}, "of the colour"),
        ({"size": (3, 4)}, "blocks are shown"),
    ],
)
def test_a_picture_may_move_a_little_and_not_lose_or_change_anything(tmp_path, change, told):
    found = unlike(drawn(tmp_path / "shown.png"), drawn(tmp_path / "new.png", **change))
    assert told in found
    assert bool(told) == bool(found)


def test_a_page_that_somebody_edits_meanwhile_keeps_the_edit(session, monkeypatch):
    printed = documentation.printed

    def slow(*arguments):
        outputs = printed(*arguments)
        session.write_text(f"{session.read_text()}\nMore.\n")
        return outputs

    monkeypatch.setattr(documentation, "printed", slow)
    assert renew(session, check=False) == ["page.md: somebody has changed it meanwhile; nothing was written"]
    assert session.read_text().endswith("More.\n")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("--minimal 2 --widths 2:3", "--minimal none", "ended with exit code 2: "),
        ("drawn.svg -->", "absent.svg -->", "the page does not draw absent.svg"),
        ("| width -->", "| nonsense -->", "no line of"),
    ],
)
def test_a_page_that_does_not_run_is_left_as_it_is(session, old, new, told):
    text = session.read_text().replace(old, new)
    session.write_text(text)
    (problem,) = renew(session, check=False)
    assert told in problem
    assert session.read_text() == text


def test_a_page_is_taken_apart(page, tmp_path):
    read = Page.read(page)
    assert [step.text for step in read.steps] == ["escapedim count --minimal 2", "escapedim doctor"]
    assert [(figure.drawn, figure.shown) for figure in read.figures] == [("figures/a.png", tmp_path / "b.png")]
    (shown,) = read.shown
    assert shown.cut("first\nminimal 2\n\nmore\n\nwidth 3\n") == ["minimal 2", "", "more"]
    assert read.replaced([["new", "lines"]]) == PAGE.replace("old", "new\nlines")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("count --minimal 2 |", "count |", "does not run 'escapedim count'"),
        ("![A](b.png)", "", "no image after the mark"),
        ("```bash\nescapedim sweep", "escapedim sweep", "no block after the mark"),
        ("plan.yaml --submit\n```", "plan.yaml --submit", "does not end"),
        ("<!-- output", "<!-- outputs", "no mark says which command prints this"),
        ("escapedim count --minimal 2 && ", "COLUMNS=80 escapedim count && ", "line 9: this is not run; a mark has to"),
        ("```bash\nescapedim count", "  ```bash\nescapedim count", "no block begins like this"),
        ("| minimal | width", "", "expected a command and one or two beginnings"),
    ],
)
def test_a_mark_that_marks_nothing_is_told(page, old, new, told):
    assert old in PAGE
    page.write_text(PAGE.replace(old, new))
    with pytest.raises(Unclear, match=told):
        Page.read(page)


@pytest.mark.parametrize(("start", "end"), [("absent", ""), ("minimal", "absent")])
def test_a_part_of_an_output_that_is_not_there_is_told(page, start, end):
    page.write_text(PAGE.replace("| minimal | width", f"| {start} | {end}" if end else f"| {start}"))
    with pytest.raises(Unclear, match=r"begins with 'absent'"):
        Page.read(page).shown[0].cut("minimal 2\nwidth 3\n")


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("rate 90.0 % of 1,000", "rate 88.1 % of 1,010", True),
        ("rate 90.0 %", "rate 30.0 %", False),
        ("p 0.001", "p 0.4", False),
        ("(p = 0.2)", "(p = 0.9)", True),
        ("p <0.001", "p 0.0014", True),
        ("p < 0.05/2 here", "p < 0.05/3 here", False),
        ("rounds 7 to 10", "rounds 6 to 10", False),
        ("2 of 4 rows", "3 of 4 rows", False),
        ("-0.224", "0.224", False),
        ("loss 0.018702", "loss 0.017", True),
        ("loss 0.018702", "loss 0.9", False),
        ("loss 3.1e-31", "loss 8e-30", True),
        ("1,000 members", "700 members", False),
        ("tickets win", "tickets lose", False),
        ("tickets win", "tickets win often", False),
        ("10 ┤ o", "12 ┤    o", True),
        ("──── a", "────── a", True),
        ("run 24609caeff99621d", "run 34609caeff99621d", True),
        ("GGGGGGGGGGBBBBB", "GGGGGGGGGBBBBBB", True),
        ("1e-05 left", "1e-05 right", False),
    ],
)
def test_outputs_are_compared_by_words_and_by_numbers_within_a_tolerance(shown, printed, same):
    assert (difference([shown], [printed]) == "") is same
