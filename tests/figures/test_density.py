import pytest

from escapedim.figures import density
from tests.figures.conftest import inside, line, panel
from tests.reporting.conftest import SPREAD, digits_rounds, layers, loss_arm, lottery, lottery_round


def test_every_arm_has_its_means_and_bands_of_one_standard_error():
    result = lottery(digits_rounds()).result
    axes = panel(density.draw, result)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "ticket",
        "reinit",
        "shuffle",
        "random",
        "dense",
    ]
    for name, lost in {"ticket": 0.0004, "random": 0.0038}.items():
        points = line(axes, name)
        assert [x for x, _ in points] == pytest.approx([100 * entry.density for entry in result.rounds[1:]])
        assert [y for _, y in points] == pytest.approx([96.51 - 100 * lost * k for k in range(1, 11)])
    mean = sum(SPREAD) / 5
    error = 100 * (sum((one - mean) ** 2 for one in SPREAD) / 4 / 5) ** 0.5
    band = axes.collections[0].get_paths()[0].vertices
    first = [y for x, y in band if x == pytest.approx(line(axes, "ticket")[0][0])]
    assert (max(first) - min(first)) / 2 == pytest.approx(error, rel=1e-6)
    assert axes.get_xlabel() == "density (%)"
    assert axes.get_ylabel() == "test accuracy (%)"
    assert axes.get_xscale() == "log"
    left, right = axes.get_xlim()
    assert left > 100 > line(axes, "ticket")[-1][0] > right
    assert inside(axes.figure)


def test_the_tolerance_below_the_dense_mean_is_a_line():
    axes = panel(density.draw, lottery(digits_rounds()).result)
    assert any(list(one.get_ydata()) == pytest.approx([96.01, 96.01]) for one in axes.get_lines())
    assert "± one standard error over 5 replicates" in density.caption(lottery(digits_rounds()).result)


def test_one_replicate_has_no_band_and_the_caption_none():
    result = lottery(digits_rounds(replicates=1)).result
    axes = panel(density.draw, result)
    assert not axes.collections
    assert len(line(axes, "ticket")) == 10
    assert "standard error" not in density.caption(result)


def test_arms_that_are_missing_and_replicates_that_diverged_are_left_out():
    rounds = digits_rounds(last=3, names=("ticket",))
    rounds[2]["arms"]["ticket"]["test_accuracy"] = [None] * 5
    rounds[3]["arms"]["ticket"]["test_accuracy"] = [0.96, None, None, None, None]
    result = lottery(rounds).result
    axes = panel(density.draw, result)
    assert [y for _, y in line(axes, "ticket")] == pytest.approx([96.47, 96.0])
    assert "Diverged replicates are left out" in density.caption(result)


def test_a_task_without_accuracy_has_losses():
    rounds = [lottery_round(0, {"dense": loss_arm([1e-5, 2e-5])})]
    rounds += [lottery_round(k, {"ticket": loss_arm([1e-4 * 10**k, 3e-4 * 10**k])}) for k in (1, 2)]
    axes = panel(density.draw, lottery(rounds).result)
    assert [y for _, y in line(axes, "ticket")] == pytest.approx([2e-3, 2e-2])
    assert (axes.get_ylabel(), axes.get_yscale()) == ("training loss", "log")


def test_only_the_dense_network_is_nothing_to_draw():
    assert density.missing(lottery(digits_rounds(last=0)).result) == "no round was pruned yet"
    assert density.missing(lottery([]).result) == "no round was pruned yet"
    assert layers(1)
