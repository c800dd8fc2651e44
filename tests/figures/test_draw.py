"""All figures of a material, their names, and what is skipped."""

import copy
from pathlib import Path

import pytest

from escapedim.figures.draw import figures, skipped
from escapedim.figures.plans import FIGURES, file_names, planned
from escapedim.records.summary import Summary
from escapedim.reporting.material import of_comparison, of_files
from tests.figures.conftest import inside
from tests.reporting.compare_cases import comparison
from tests.reporting.conftest import digits_rounds, lottery, train
from tests.reporting.experiment_cases import default
from tests.reporting.rewind_cases import SUMMARY
from tests.reporting.widen_cases import DIGITS_CONFIG, digits, teacher, widen


def rewind():
    return Summary.model_validate(copy.deepcopy(SUMMARY))


def material(**summaries):
    return of_files([(Path(f"{name}.json"), found) for name, found in summaries.items()])


def names(found):
    return [one.name for one in figures(found)]


def test_what_a_file_lacks_is_named_with_the_command_that_measures_it():
    found = material(lottery=lottery(digits_rounds()))
    assert names(found) == ["density"]
    missing = {one.figure: one.reason for one in skipped(found)}
    assert set(missing) == (set(FIGURES) | {"overview"}) - {"density"}
    assert missing["success"] == "no width scaling in these files; `escapedim widen` measures it"
    assert "compare.json" in missing["effective"]
    assert missing["overview"] == "it takes two figures"


def test_a_file_with_nothing_to_draw():
    found = material(train=train())
    assert names(found) == []
    assert {one.figure: one.reason for one in skipped(found)}["overview"] == "no figure can be drawn"


def test_a_run_that_has_only_begun():
    found = material(lottery=lottery([], status="running"), widen=widen([], status="running"))
    assert names(found) == []
    assert {one.figure: one.reason for one in skipped(found)}["density"] == "no round was pruned yet"


def test_files_that_draw_the_same_figure_prefix_their_names():
    found = material(**{"a": digits(), "b c": teacher(), "lottery": lottery(digits_rounds())})
    assert names(found) == ["overview", "density", "a-success", "b-c-success", "endings"]


def test_files_of_one_name_in_two_folders_are_told_apart():
    found = of_files([(Path("x/widen.json"), digits()), (Path("y/widen.json"), digits())])
    assert names(found) == ["widen-success", "widen-2-success"]


def test_everything_is_drawn_inside_its_figure():
    wide = widen(
        [entry.model_dump(mode="json") for entry in digits().result.widths], found=default(), config=DIGITS_CONFIG
    )
    found = material(lottery=lottery(digits_rounds()), widen=wide, rewind=rewind())
    every = list(figures(found))
    expected = ["overview", "density", "success", "escape", "isolation", "widen-complement", "rewind-complement"]
    assert [one.name for one in every] == [*expected, "barriers"]
    drawn = [one.draw() for one in every]
    for one, figure in zip(every, drawn, strict=True):
        assert inside(figure), one.name
        for axes in figure.axes:
            assert not axes.axison or (axes.get_xlabel() and axes.get_ylabel())
        assert one.caption.endswith(".")
    assert "Right" not in every[0].caption
    width, height = drawn[0].get_size_inches()
    assert (width, len(drawn[0].axes)) == (7.2, 6)
    assert height < 10


def test_a_comparison_alone_draws_everything_that_it_had():
    found = [of_comparison(comparison())]
    drawn = {one.name: one for one in figures(found)}
    assert list(drawn) == ["overview", "density", "success", "effective", "endings", "escape", "isolation"]
    assert drawn["success"].source == "compare/widen"
    labels = [text.get_text() for text in drawn["success"].draw().axes[0].get_legend().get_texts()]
    assert "exponential" in labels
    page = drawn["overview"].draw()
    assert page.texts[-1].get_text().startswith("Seven of seven directional rows speak for escape dimensions.")
    assert inside(page)


def test_laws_of_merged_widths_have_a_figure_of_their_own():
    document = comparison().model_dump(mode="json")
    for one in document["laws"]["observed"]:
        one.update(failed=2 * one["failed"], members=2 * one["members"])
    found = [of_comparison(type(comparison()).model_validate(document))]
    plans = [plan for plan in planned(found[0])[0] if plan.figure == "success"]
    assert file_names(plans, set()) == ["widen-success", "compare-success"]


def test_long_sentences_of_a_comparison_stay_on_the_page():
    document = comparison().model_dump(mode="json")
    for one in document["rows"]:
        one["sentence"] = "Wide networks WWW succeed more often than MMM tickets would say. " * 8
    page = next(figures([of_comparison(type(comparison()).model_validate(document))])).draw()
    assert inside(page)
    assert page.get_size_inches()[1] <= 10.5
    text = page.texts[-1]
    box = text.get_window_extent(page.canvas.get_renderer())
    assert box.y1 < page.axes[-1].get_tightbbox(page.canvas.get_renderer()).y0


@pytest.mark.parametrize("status", ["interrupted", "failed"])
def test_a_caption_says_that_the_run_is_unfinished(status):
    (found,) = material(lottery=lottery(digits_rounds(), status=status))
    (plan,) = planned(found)[0]
    assert plan.caption.endswith(f"The run is unfinished ({status}).")


def test_a_caption_says_that_invariants_are_violated():
    rounds = digits_rounds(last=2)
    rounds[1]["invariants"]["masks_nested"] = False
    (found,) = material(lottery=lottery(rounds))
    assert "the numbers are unusable" in planned(found)[0][0].caption
