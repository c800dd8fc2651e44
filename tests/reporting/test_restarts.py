from escapedim.records.experiments import Restarts
from escapedim.records.results import WidenResult
from escapedim.records.summary import SCHEMA, Cost, Provenance, Summary
from escapedim.reporting.restarts import MOST_ROWS, seconds_per_member, section
from escapedim.widening.member_keys import members_key
from tests.reporting.conftest import assert_says, flat
from tests.reporting.experiment_cases import estimated, restarts, share

WIDTHS = (5, 6, 7, 8, 9, 10, 12, 16, 32)


def found(*entries, columns=100, seconds=None):
    return section([Restarts.model_validate(entry) for entry in entries], columns, seconds or {})


def test_the_sentence_compares_intervals():
    assert_says(
        found(*map(restarts, WIDTHS)).sentence.replace("\xa0", " "),
        "One wide network against the best of k networks of width 4, 9.0 % (95 % interval 4.8 to 16.2)",
        "equal multiply-adds",
        "above at widths 6 to 10, 12, 16 and 32 and overlaps at width 5",
    )


def test_the_table_is_in_the_order_of_widths():
    lines = found(restarts(16), restarts(6)).body
    assert_says(lines[0], "width", "success, %", "k by", "best of k, %")
    assert "multiply-adds" in lines[1]
    assert flat(lines[3]) == "6 41.0 (31.9 to 50.8) 1.48 13.1 (7.1 to 23.1)"
    assert flat(lines[4]) == "16 100.0 (96.3 to 100.0) 3.9 30.8 (17.5 to 49.9)"
    assert found(restarts(16), restarts(6, 2)).body[0].startswith("narrow")


def test_seconds_per_member_have_columns_of_their_own():
    lines = found(*map(restarts, (6, 8)), seconds={4: 0.5, 6: 1.0}).body
    assert lines[0].endswith("best of k, %     k by        best of k, %")
    assert lines[3].endswith("2  17.2 (9.4 to 29.8)")
    assert lines[4].split()[-2:] == ["-", "-"]
    assert "Seconds are those that the run measured." in flat(" ".join(lines))
    assert "seconds" not in flat(" ".join(found(restarts(6), seconds={6: 1.0}).body))


def summary(unit_s: dict[str, float], *finished: str) -> Summary:
    files = {f"checkpoints/{name}.safetensors": "0" * 64 for name in finished}
    return Summary(
        schema=SCHEMA,
        kind="widen",
        status="running",
        id="0" * 16,
        config={},
        provenance=Provenance(version="0"),
        cost=Cost(unit_s=unit_s),
        result=WidenResult(success_criterion="loss <= 1", widths=[], checkpoints=files),
    )


def test_seconds_are_those_of_finished_stacks_over_their_members():
    stacks = {2: [(0, 1, 2, 3), (4,)], 8: [(0, 1)]}
    keys = [members_key(width, replicates) for width, parts in stacks.items() for replicates in parts]
    under_way = members_key(8, range(2, 10))
    taken = {keys[0]: 4.0, keys[1]: 2.0, keys[2]: 3.0, under_way: 100.0, "width-000002-pilot-0.5": 50.0}
    found = summary(taken, *keys, f"{under_way}.paused-000000040", "width-000002-pilot-0.5")
    assert seconds_per_member(found) == {2: 6.0 / 5, 8: 1.5}


def test_a_summary_without_times_has_no_seconds():
    assert seconds_per_member(summary({}, "width-000002-members-000000-000003")) == {}


def test_extremes_and_missing_rates():
    odd = restarts(8, k=3.2e9, best_of_k=estimated(None), wide_success=share(0, 0), narrow_success=share(0, 0))
    assert found(odd).body[3].split() == ["8", "-", "3.2e+09", "-"]
    assert "interval is not known" in found(odd).sentence
    assert found(odd, seconds={4: 1.0, 8: 2.0}).body[3].split()[-2:] == ["2", "-"]


def test_the_widths_that_differ_most_are_shown():
    lines = found(*map(restarts, range(5, 5 + MOST_ROWS + 1))).body
    assert flat(" ".join(lines)).endswith("1 width more is in the JSON.")
    assert lines[3].split()[0] == "6"
