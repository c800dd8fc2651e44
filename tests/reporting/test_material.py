from pathlib import Path

import pytest
from pydantic import ValidationError

from escapedim.errors import BadInput
from escapedim.records.results import LotteryResult, WidenResult
from escapedim.records.summary import Summary
from escapedim.reporting.material import of_comparison, of_files, unique
from tests.reporting.compare_cases import comparison
from tests.reporting.conftest import digits_rounds, lottery
from tests.reporting.widen_cases import digits


def test_plain_summaries_are_one_material_with_the_names_of_their_files():
    (found,) = of_files([(Path("a/lottery.json"), lottery(digits_rounds())), (Path("x.json"), digits())])
    assert [source.name for source in found.sources] == ["lottery", "x"]
    assert (found.name, found.rows, found.laws) == ("", (), None)
    assert [name for name, _ in found.results(WidenResult)] == ["x"]


def test_a_comparison_holds_its_sources_whole():
    result = comparison()
    found = of_comparison(result)
    assert [source.kind for source in found.sources] == ["lottery", "widen"]
    ((_, inside),) = found.results(LotteryResult)
    assert inside == lottery(digits_rounds()).result
    assert found.rows == tuple(result.rows)
    assert found.laws is result.laws
    assert found.sources[0].summary.config == result.sources[0].config


def test_a_source_that_is_not_what_its_kind_says():
    document = comparison().model_dump(mode="json")
    document["sources"][0]["result"] = {"rounds": "none"}
    with pytest.raises(ValidationError, match="rounds"):
        of_comparison(type(comparison()).model_validate(document))


def test_such_a_source_is_bad_input_of_a_file():
    document = comparison().model_dump(mode="json")
    document["sources"][0]["result"] = {"rounds": "none"}
    damaged = Summary.model_construct(kind="compare", result=type(comparison()).model_validate(document))
    with pytest.raises(BadInput, match="holds a source that is not a result of its kind"):
        of_files([(Path("compare.json"), damaged)])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lottery", "lottery"),
        ("a b/c", "a-b-c"),
        ("../../x", "x"),
        ("", "summary"),
        ("größe", "größe"),
        (".x", "x"),
    ],
)
def test_names_of_sources_are_names_of_files(name, expected):
    assert unique(name, set()) == expected


def test_a_name_is_given_once():
    taken = {"a"}
    assert [unique("a", taken), unique("a", taken)] == ["a-2", "a-3"]
