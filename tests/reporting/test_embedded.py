import pytest

from tests.reporting.conftest import CONFIG, flat, text
from tests.reporting.experiment_cases import ESCAPES, certified, escape, isolation, restarts
from tests.reporting.widen_cases import widen

SOURCE = {**CONFIG, "hidden": [6], "source": "train-0123456789abcdef", "layer": 1}


def embedded(*entries, **more):
    return widen([], found={"escape": list(entries)}, **{"config": SOURCE, **more})


def parts(summary, columns=80):
    return [flat(part) for part in text(summary, columns).split("\n\n")]


def test_heading_and_first_sentence_are_about_the_escape():
    heading, sentence, table, foot = parts(embedded(escape(6, *ESCAPES[6])))
    assert heading == (
        "digits, hidden 6, relu; members of train-0123456789abcdef; 59 failed members embedded; complete."
    )
    assert sentence.startswith("Of 59 failed members of width 6, widened by 1 unit")
    assert sentence.endswith("at width 7. Success: train_accuracy >= 0.95.")
    assert table.startswith("width failed")
    assert foot.startswith("Recipe: adam")


def test_the_layer_is_told_where_there_are_several():
    summary = embedded(escape(100, 5, 1, 0, layer=2), config={**SOURCE, "hidden": [300, 100], "layer": 2})
    assert "members of train-0123456789abcdef, layer 2;" in parts(summary)[0]


def test_an_unfinished_run():
    heading, sentence, *_ = parts(embedded(escape(6, 1, 1, 0), status="interrupted"))
    assert heading.endswith("1 failed member embedded; interrupted after 1 failed member.")
    assert sentence.startswith("So far: of 1 failed member of width 6")


@pytest.mark.parametrize(
    ("status", "expected"),
    [("running", "No member is embedded yet"), ("complete", "There was no failed member to embed")],
)
def test_no_member(status, expected):
    heading, sentence, _ = parts(embedded(status=status))
    assert sentence == f"{expected}; the criterion is train_accuracy >= 0.95."
    assert "0 failed" not in heading


def test_other_experiments_follow():
    entries = {"isolation": [isolation()], "escape": [certified(6, 343, 331)], "restarts": [restarts(8)]}
    found = parts(widen([], found=entries))
    assert found[1].startswith("Of 36 networks of width 8")
    assert [part.split(":")[0] for part in found if part.startswith(("Escape", "Restarts"))] == ["Escape", "Restarts"]


def test_without_source_or_experiment_no_width_is_finished():
    assert "No width is finished" in text(widen([]), 80)
