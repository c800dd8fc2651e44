import pytest


@pytest.fixture(scope="module")
def engine_side(script):
    return script("benchmarking.engine_side")


def test_stopwatch_leaves_out_the_warm_up(engine_side, monkeypatch):
    ticks = iter([100.0, 200.0, 300.0, 301.0, 303.0])  # three steps of warm-up
    monkeypatch.setattr(engine_side.time, "perf_counter", lambda: next(ticks))
    watch = engine_side.Stopwatch(2)
    assert [watch() for _ in range(5)] == [False, False, False, False, True]
    assert watch.step_s == 1.5


def test_a_pruned_networks_time_is_its_share_of_the_stack(engine_side, setting):
    given = setting.of(rounds=2, replicates=1, steps="5it")
    ticket, spent = engine_side.engine_prune(given)
    assert ticket.shape == given.initial(0).shape
    assert (len(spent.dense_s), len(spent.pruned_s)) == (1, 2)
    assert min(*spent.dense_s, *spent.pruned_s) > 0
