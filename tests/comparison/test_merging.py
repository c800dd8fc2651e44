from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapedim.comparison.merging import check_members, is_split, merged
from escapedim.errors import BadInput
from escapedim.records.results import WidenResult

from .cases import complement, escape, isolation, lottery, restarts, widen


def results(named) -> list[WidenResult]:
    return [made.result for _, made in named]


def test_one_summary_is_itself():
    only = widen()
    assert merged([only.result]) is only.result
    assert not is_split([only.result])


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=4))
def test_counts_and_levels_add_up(parts):
    """`parts` are failures at widths 6 and 7 of 50 members each, of as many root seeds."""
    named = [
        (str(seed), widen({6: one, 7: other}, 50, seed=seed, identity=f"{seed:016x}"))
        for seed, (one, other) in enumerate(parts)
    ]
    check_members(named)
    result = merged(results(named))
    for at, entry in enumerate(result.widths):
        failed = sum(part[at] for part in parts)
        assert (entry.members, entry.successes) == (50 * len(parts), 50 * len(parts) - failed)
        assert entry.endings == {"global minimum": entry.successes, "bad minimum": failed}
        assert {level.ending: level.members for level in entry.levels} == entry.endings
        assert entry.loss_quantiles.median is None
        assert entry.median_steps is None
    WidenResult.model_validate(result.model_dump(mode="json"))
    assert is_split(results(named))


def test_other_widths_of_the_same_seed_are_more_of_one_study():
    named = [("a", widen({6: 5, 7: 3})), ("b", widen({8: 2}, identity="b" * 16, isolation=[isolation(8, 5, 5, 0, 0)]))]
    check_members(named)
    assert [entry.width for entry in merged(results(named)).widths] == [6, 7, 8]
    assert len(merged(results(named)).isolation) == 1
    assert not is_split(results(named))
    assert merged(results(named)).widths[0].loss_quantiles.median == 0.001


def test_levels_that_differ_by_more_than_rounding_stay_apart():
    def one(loss: float, seed: int) -> WidenResult:
        made = widen({6: 10}, 50, seed=seed, identity=f"{seed:016x}")
        level = made.result.widths[0].levels[1].model_copy(update={"loss": loss})
        entry = made.result.widths[0].model_copy(update={"levels": [level]})
        return made.result.model_copy(update={"widths": [entry]})

    together = merged([one(0.1, 0), one(0.1 + 1e-9, 1)]).widths[0].levels
    assert [(level.loss, level.members) for level in together] == [(0.1, 20)]
    apart = merged([one(0.1, 0), one(0.1001, 1)]).widths[0].levels
    assert [level.members for level in apart] == [10, 10]


def test_members_are_counted_once():
    with pytest.raises(BadInput, match="is the same run as a"):
        check_members([("a", lottery()), ("b", lottery())])
    with pytest.raises(BadInput, match="replicates 0 to 999 of width 6, seed 0, and so has a"):
        check_members([("a", widen({6: 5})), ("b", widen({6: 9}, identity="b" * 16))])
    again = widen({7: 9}, identity="b" * 16, escape=[escape(6, 5, 0, 10)])
    with pytest.raises(BadInput, match="failed replicate 0 of width 6, seed 0, widened by split"):
        check_members([("a", widen({6: 50}, escape=[escape(6, 5, 0, 10)])), ("b", again)])
    check_members([("a", widen({6: 5})), ("b", widen({6: 9}, identity="b" * 16, seed=1))])


def test_failed_members_are_one_network_however_many_summaries_widened_them():
    """Widened the same way twice they would count twice; in another way they are told apart and counted once."""
    first = widen({6: 50}, escape=[escape(6, 5, 0, 10)])
    again = widen({7: 9}, identity="b" * 16, escape=[escape(6, 5, 0, 10, alpha=0.3)])
    check_members([("a", first), ("b", again)])


def test_another_task_or_recipe_is_no_shard():
    first, other = widen({6: 50}), widen({6: 40}, identity="b" * 16, seed=1, lr=0.2)
    with pytest.raises(BadInput, match="a and b both have networks of width 6, but differ in lr"):
        check_members([("a", first), ("b", other)])
    apart = widen({7: 40}, identity="b" * 16, seed=1, lr=0.2)
    check_members([("a", first), ("b", apart)])


def shards(**experiment) -> WidenResult:
    """Two root seeds, the second with the parts that `experiment` has of it."""
    ((name, (one, other)),) = experiment.items()
    made = [
        widen(members=1000, seed=at, identity=f"{at:016x}", **{name: [part]}) for at, part in enumerate((one, other))
    ]
    return merged([part.result for part in made])


def test_isolation_of_shards_is_that_of_all_members():
    (found,) = shards(isolation=(isolation(7, 60, 6, 2, 32), isolation(7, 80, 4, 1, 15))).isolation
    assert found == type(found).model_validate(isolation(7, 140, 10, 3, 47) | {"sizes": found.model_dump()["sizes"]})
    assert (found.sizes[0].winning.count, found.sizes[0].winning.of) == (140, 200)
    assert len(shards(isolation=(isolation(7, 60, 6, 2, 32), isolation(8, 80, 4, 1, 15))).isolation) == 2


def test_complement_of_shards_is_that_of_all_tickets():
    one, other = [4, 3, 4, 2] * 5, [1, 4, 4] * 5
    (found,) = shards(complement=(complement(7, one), complement(7, other, fresh=(300, 1000)))).complement
    whole = complement(7, one + other, fresh=(800, 2000))
    assert found.index.value == pytest.approx(whole["index"]["value"])
    assert found.index.interval == pytest.approx(whole["index"]["interval"])
    assert (found.fresh.count, found.fresh.of) == (800, 2000)
    assert len(found.winners.tickets) == 35
    assert found.winners.surrounded[0].successes == sum(one + other)


def test_escape_of_shards_is_that_of_all_failed_networks():
    (found,) = shards(escape=(escape(6, 20, 2, 40), escape(6, 10, 3, 30, narrow=(100, 1000)))).escape
    assert (found.sources, found.reached_global.count, found.controls.noise_only.count) == (70, 30, 5)
    assert (found.controls.fresh_narrow.count, found.controls.fresh_narrow.of) == (600, 2000)
    assert len(found.replicates) == len(found.loss_before) == 70
    assert found.negative_directions.median == 1
    unlike = escape(6, 10, 3, 30, negative_directions={"min": 0, "median": 1, "max": 2})
    assert shards(escape=(escape(6, 20, 2, 40), unlike)).escape[0].negative_directions is None


def test_restarts_of_shards_cost_the_mean_of_all():
    other = restarts(9, 700) | {"wide_multiply_adds": 220.0}
    (found,) = shards(restarts=(restarts(9, 900), other)).restarts
    assert (found.wide_success.count, found.wide_success.of) == (1600, 2000)
    assert found.k == pytest.approx(2.0)
    assert found.best_of_k.value == pytest.approx(1 - 0.4**2)
