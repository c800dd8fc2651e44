import pytest


@pytest.fixture(scope="module")
def engine_processes(script):
    return script("benchmarking.engine_processes")


@pytest.fixture(scope="module")
def small(script):
    return script("benchmarking.small_row").small_setting(10**6)


@pytest.mark.long
def test_processes_train_more_than_once_and_end_with_their_context(engine_processes, small):
    with engine_processes.engine_processes(small, 2) as engine:
        assert min(engine.run(1), engine.run(2)) > 0
        processes = list(engine._pool._processes.values())
        assert len(processes) == 2
    assert not any(process.is_alive() for process in processes)


def test_every_stack_takes_the_steps(engine_processes, small, monkeypatch):
    seen = []
    monkeypatch.setattr(engine_processes._Process, "setting", small, raising=False)
    monkeypatch.setattr(engine_processes._Process, "stacks", small.stacks, raising=False)
    monkeypatch.setattr(engine_processes._Process, "data", small.data, raising=False)
    descend = engine_processes.descend
    monkeypatch.setattr(engine_processes, "descend", lambda *given: seen.append(descend(*given).step))
    assert engine_processes._train(0, 3) == len(small.stacks[0])
    assert seen == [3]
