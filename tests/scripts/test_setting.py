import pytest


def test_flags_are_resolved_as_the_command_does(setting):
    given = setting.of(rounds=2, steps="7it")
    assert (given.config.rounds, given.recipe.steps, given.model.sizes) == (2, 7, (64, 100, 10))
    assert given.initial(0).shape == (64 * 100 + 100 + 100 * 10 + 10,)
    assert (given.initial(0) != given.initial(1)).any()


@pytest.mark.parametrize(
    ("dense_s", "pruned_s", "rest_s", "share", "expected_s"),
    [
        pytest.param([1.0], [2, 2, 3, 3], 0.5, {"rounds": 1, "replicates": 1, "steps": "100it"}, (10100, 10141)),
        pytest.param([1.0] * 10, [2.0] * 400, 3.0, {"rounds": 10}, (810, 813)),
    ],
    ids=["a share", "all of it"],
)
def test_a_share_is_scaled_by_networks_and_steps(script, setting, dense_s, pruned_s, rest_s, share, expected_s):
    whole = setting.of(rounds=10)  # 10 dense networks and 400 pruned ones of 1,000 steps
    spent = script("benchmarking.setting").Spent(dense_s, pruned_s, rest_s)
    assert spent.scaled(setting.of(**share), whole) == pytest.approx(expected_s, rel=1e-12)
