"""Pages and files: what they hold, that they are self-contained, and what is not overwritten."""

from __future__ import annotations

import errno
import re
import xml.dom.minidom
from html.parser import HTMLParser
from pathlib import Path

import pytest

from escapedim.errors import BadInput, EscapedimError
from escapedim.figures.draw import figures
from escapedim.records.ledger import LEDGER
from escapedim.reporting.export import csv_files, html, markdown
from escapedim.reporting.export.document import Picture, chapters
from escapedim.reporting.export.export import Targets, export
from escapedim.reporting.material import of_comparison, of_files
from tests.reporting.compare_cases import comparison
from tests.reporting.conftest import digits_rounds, envelope, lottery
from tests.reporting.experiment_cases import default
from tests.reporting.widen_cases import digits, rates, teacher, widen

VOID = {"meta", "img", "br", "link"}
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"></svg>'


class Page(HTMLParser):
    """Checks that tags are closed in order; gathers addresses, ids and the text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.text: list[str] = []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("src", "href", "data", "action", "srcset"):
                self.addresses.append(value)
            if name == "id":
                self.ids.append(value)
            assert not name.startswith("on")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def picture(name: str = "density", source: str = "lottery") -> Picture:
    return Picture(name, "Accuracy", "A <caption> & more.", source, {"svg": SVG})


def material(**summaries):
    return of_files([(Path(f"{name}.json"), found) for name, found in summaries.items()])


def test_html_is_one_page_that_loads_nothing():
    found = chapters(material(lottery=lottery(digits_rounds()), widen=teacher()), [picture()])
    source = html.page(found)
    page = Page(source)
    assert "script" not in page.tags
    assert all(one.startswith(("data:", "#")) for one in page.addresses)
    assert not re.search(r"https?:|url\(|@import", source)
    assert len(page.ids) == len(set(page.ids))
    text = " ".join(page.text)
    assert "Tickets match the dense network (96.51 ± 0.14 %)" in text
    assert "A <caption> & more." in text
    assert "Success rises from" in text
    assert "0.9611 ± 0.0014" in text


def test_everything_is_escaped():
    evil = "<script>alert(1)</script> | `x` [y](z)"
    summary = rates({4: 3}, criterion=evil)
    found = chapters(material(widen=summary), [])
    assert "<script>" not in html.page(found)
    assert "&lt;script&gt;" in html.page(found)
    text = markdown.page(found, {})
    assert "<script>" not in text.replace("\\<script\\>", "")
    assert "](z)" not in text.replace("\\](z)", "")


def test_html_of_a_comparison_has_verdict_rows_and_sources():
    page = Page(html.page(chapters([of_comparison(comparison())], [picture("density", "compare/lottery")])))
    text = " ".join(page.text)
    assert "Seven of seven directional rows speak for escape dimensions." in text
    assert "The exponential law is preferred" in text
    assert "density" in page.ids


def test_markdown_has_tables_of_equal_rows():
    wide = widen([entry.model_dump(mode="json") for entry in digits().result.widths], found=default())
    text = markdown.page(chapters(material(widen=wide), []), {})
    assert text.startswith(markdown.MARK.text)
    blocks = [part.splitlines() for part in text.split("\n\n") if part.startswith("|")]
    assert len(blocks) >= 6
    for lines in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert "rows: --csv DIR writes them." in text
    assert "**Isolation.**" in text


def test_markdown_links_the_figures_that_were_written():
    found = chapters(material(lottery=lottery(digits_rounds())), [picture()])
    assert "![Accuracy](<figs/density.png>)" in markdown.page(found, {"density": "figs/density.png"})
    assert "![" not in markdown.page(found, {})


def test_everything_at_once(tmp_path):
    said: list[str] = []
    targets = Targets(tmp_path / "a/figs", tmp_path / "b/r.html", tmp_path / "c/r.md", tmp_path / "d/csv")
    summaries = [(Path("lottery.json"), lottery(digits_rounds())), (Path("widen.json"), teacher())]
    export(summaries, targets, said.append)
    names = {path.name for path in (tmp_path / "a/figs").iterdir()} - {"captions.md"}
    captions = (tmp_path / "a/figs/captions.md").read_text()
    assert "**density.** Test accuracy at the last step against density" in captions
    assert "± one standard error over 5 replicates" in (tmp_path / "a/figs/density.svg").read_text()
    drawn = ("overview", "density", "success", "endings")
    assert names == {LEDGER, *(f"{name}.{form}" for name in drawn for form in ("png", "pdf", "svg"))}
    assert "](<../a/figs/density.png>)" in (tmp_path / "c/r.md").read_text()
    assert (tmp_path / "b/r.html").read_text().count("data:image/svg+xml;base64,") == 4
    assert (tmp_path / "d/csv/lottery-rounds.csv").is_file()
    assert f"wrote {tmp_path / 'a/figs/density'}.{{png,pdf,svg}}" in said
    assert any(line.startswith("skipped escape: no widened members") for line in said)
    page = tmp_path / "b/r.html"
    before = page.read_bytes()
    export(summaries, Targets(html=page), said.append)
    assert page.read_bytes() == before


@pytest.mark.parametrize("option", ["html", "markdown"])
def test_a_file_of_another_kind_is_not_replaced(tmp_path, option):
    target = tmp_path / "thesis"
    target.write_text("my life's work")
    with pytest.raises(BadInput, match="a file that escapedim did not write"):
        export([(Path("train.json"), rates({4: 3}))], Targets(**{option: target}), print)
    assert target.read_text() == "my life's work"
    target.write_text("")
    export([(Path("train.json"), rates({}))], Targets(**{option: target}), lambda _: None)
    assert target.read_text()


FOREIGN = [
    ("figures", "density.png", b"\x89PNG a photograph"), ("figures", "captions.md", b"mine"),
    ("csv", "lottery-rounds.csv", b"round,density,remark\n1,0.8,a year of notes\n"),
]  # fmt: skip


@pytest.mark.parametrize(("option", "name", "content"), FOREIGN)
def test_a_file_in_a_folder_is_not_replaced_either_and_nothing_else_is_written(tmp_path, option, name, content):
    summaries = [(Path("lottery.json"), lottery(digits_rounds())), (Path("widen.json"), teacher())]
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / name).write_bytes(content)
    with pytest.raises(BadInput, match=f"--{option} .*{name} is a file that escapedim did not write"):
        export(summaries, Targets(html=tmp_path / "r.html", **{option: tmp_path / "there"}), print)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [name]
    assert (tmp_path / "there" / name).read_bytes() == content


def test_files_of_other_results_are_replaced(tmp_path):
    """Tables of one name whose later columns differ, and figures."""
    for summary in (digits(), teacher(), widen([], found=default()), teacher()):
        export([(Path("widen.json"), summary)], Targets(csv=tmp_path), lambda _: None)
    assert (tmp_path / "widen-widths.csv").is_file()
    for count in (2, 3):
        export([(Path("lottery.json"), lottery(digits_rounds(count)))], Targets(figures=tmp_path), lambda _: None)
    assert (tmp_path / "density.png").is_file()


def test_what_a_user_has_added_to_a_file_is_not_lost(tmp_path):
    for option, name in (("csv", "lottery-rounds.csv"), ("figures", "density.svg")):
        targets = Targets(**{option: tmp_path / option})
        export([(Path("lottery.json"), lottery(digits_rounds(2)))], targets, lambda _: None)
        path = tmp_path / option / name
        path.write_bytes(path.read_bytes() + b"<!-- a remark -->")
        with pytest.raises(BadInput, match=f"{name} is a file that escapedim did not write, or that was changed since"):
            export([(Path("lottery.json"), lottery(digits_rounds(3)))], targets, lambda _: None)
        assert path.read_bytes().endswith(b"<!-- a remark -->")


def test_a_page_that_quotes_ours_is_not_ours(tmp_path):
    summaries = [(Path("x.json"), rates({4: 3}))]
    export(summaries, Targets(html=tmp_path / "p", markdown=tmp_path / "m"), lambda _: None)
    for option, name in (("html", "p"), ("markdown", "m")):
        path = tmp_path / name
        path.write_text(f"my notes\n{path.read_text()}")
        with pytest.raises(BadInput, match="did not write"):
            export(summaries, Targets(**{option: path}), print)


def test_a_link_is_judged_by_what_it_leads_to(tmp_path):
    (tmp_path / "mine").write_text("x")
    (tmp_path / "page").symlink_to(tmp_path / "mine")
    with pytest.raises(BadInput, match="a file that escapedim did not write"):
        export([(Path("x.json"), rates({4: 3}))], Targets(html=tmp_path / "page"), print)


def test_names_of_three_hundred_letters_are_cut_and_told_apart():
    found = comparison()
    sources = [one.model_copy(update={"name": f"{'ü' * 300}{n}.json"}) for n, one in enumerate(found.sources)]
    summary = envelope("compare", found.model_copy(update={"sources": sources}).model_dump(mode="json"))
    materials = of_files([(Path(f"{'x' * 200}.json"), summary)])
    names = [*csv_files.files(materials), *(f"{planned.name}.svg" for planned in figures(materials))]
    assert sum(name.endswith("-rounds.csv") for name in names) == 1
    assert len(set(names)) == len(names)
    assert max(len(name.encode()) for name in names) < 220


def test_no_page_holds_what_a_terminal_obeys(tmp_path):
    summary = rates({4: 3}, criterion="a\x1b[31m\x07b\x9b")
    export([(Path("x.json"), summary)], Targets(html=tmp_path / "p", markdown=tmp_path / "m"), lambda _: None)
    for name in ("p", "m"):
        text = (tmp_path / name).read_text()
        assert not any(letter in text for letter in "\x1b\x07\x9b")
        assert "31m" in text
    export([(Path("x.json"), summary)], Targets(figures=tmp_path / "f"), lambda _: None)  # and no font is asked for it
    for path in (tmp_path / "f").glob("*.svg"):
        xml.dom.minidom.parse(str(path))


def test_a_file_that_cannot_be_written_names_its_own_option(monkeypatch, tmp_path):
    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(EscapedimError, match="free space or choose another --html"):
        export([(Path("x.json"), rates({}))], Targets(html=tmp_path / "r.html"), print)


def refuse(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_nothing_is_written_if_one_target_is_wrong(tmp_path):
    (tmp_path / "file").write_text("x")
    for wrong, message in (
        (Targets(html=tmp_path, csv=tmp_path / "csv"), "is a folder"),
        (Targets(html=tmp_path / "r", markdown=tmp_path / "r"), "name two files"),
        (Targets(html=tmp_path / "r.html", csv=tmp_path / "file"), "a file is in its place"),
        (Targets(html=tmp_path / "file" / "r.html"), "cannot make the folder|cannot read"),
    ):
        with pytest.raises(BadInput, match=message):
            export([(Path("x.json"), rates({4: 3}))], wrong, print)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["file"]
