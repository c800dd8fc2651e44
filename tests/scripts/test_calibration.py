"""What compare says of simulated studies: few here, 1,000 of every world in the long run."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def calibrating(script):
    return script("calibrating.worlds").worlds(), script("calibrating.studies").study


def said_of(calibrating, studies: int, draws: int, beginning: str = ""):
    worlds, study = calibrating
    for number, world in enumerate(worlds):
        if world.name.startswith(beginning):
            yield world, [study(world, number * 10**6 + seed, draws) for seed in range(studies)]


@pytest.mark.parametrize("beginning", ["tickets", "escape", "between", "at the margin", "beyond", "no law"])
def test_no_wrong_direction_is_claimed_in_a_handful_of_studies(calibrating, beginning):
    for world, said in said_of(calibrating, 3, 49, beginning):
        assert not any(one.wrong_rows for one in said), world.name


def test_large_studies_of_a_true_explanation_are_decided(calibrating):
    for beginning in ("tickets, large", "escape, large"):
        for _, said in said_of(calibrating, 3, 49, beginning):
            assert sum(one.decided_rows for one in said) >= 0.9 * 4 * len(said)


def test_few_networks_decide_little(calibrating):
    for _, said in said_of(calibrating, 12, 49, "escape, few"):
        assert sum(one.decided_rows for one in said) < 0.5 * 4 * len(said)


def test_true_laws_stay_and_no_wrong_one_is_preferred(calibrating):
    worlds = [*said_of(calibrating, 3, 499, "law"), *said_of(calibrating, 3, 499, "no law")]
    for world, said in worlds:
        assert not any(one.wrong_law for one in said), world.name
        assert sum(one.true_rejected for one in said) <= 1, world.name


def test_the_table_has_a_row_of_every_world(script, capsys):
    script("calibration").main(["--studies", "2", "--draws", "19", "--world", "escape", "--jobs", "1"])
    text = capsys.readouterr().out
    assert [line.split("  ")[0] for line in text.splitlines()[3:-1]] == [
        "escape", "escape, large", "escape, few networks", "escape, full widths", "escape, shards and retests",
    ]  # fmt: skip


@pytest.mark.long
def test_a_thousand_studies_of_every_world(calibrating):
    covered: dict[str, list[int]] = {}
    for world, said in said_of(calibrating, 1000, 1999):
        assert sum(one.wrong_rows > 0 for one in said) <= 0.01 * len(said), world.name
        assert sum(one.wrong_law for one in said) <= 0.01 * len(said), world.name
        for one in said:
            for kind, (count, of) in one.covered.items():
                covered.setdefault(kind, [0, 0])[0] += count
                covered[kind][1] += of
    for kind in ("rates", "effective tickets"):
        assert 0.93 <= covered[kind][0] / covered[kind][1] <= 0.97
