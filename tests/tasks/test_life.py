"""The rule against the game itself, played on a grid."""

import itertools

import numpy as np

from escapedim.tasks.registry import load_task

ROWS, COLUMNS = 7, 9


def played(grid):
    """One step of the game on a torus, by counting the eight neighbours and Conway's three sentences."""
    after = np.zeros_like(grid)
    for row, column in np.ndindex(grid.shape):
        steps = [step for step in itertools.product((-1, 0, 1), repeat=2) if step != (0, 0)]
        neighbours = sum(grid[(row + down) % ROWS, (column + right) % COLUMNS] for down, right in steps)
        survives = grid[row, column] and neighbours in (2, 3)
        after[row, column] = survives or neighbours == 3
    return after


def patch(grid, row, column):
    return tuple(grid[(row + down) % ROWS, (column + right) % COLUMNS] for down in (-1, 0, 1) for right in (-1, 0, 1))


def test_every_cell_of_random_grids_does_what_the_task_says():
    task, random = load_task("life"), np.random.default_rng(1)
    rule = {tuple(x > 0): y > 0 for x, (y,) in zip(task.train.x, task.train.y, strict=True)}
    seen = set()
    for _ in range(60):
        grid = random.random((ROWS, COLUMNS)) < random.uniform(0.2, 0.8)
        after = played(grid)
        for row, column in np.ndindex(grid.shape):
            seen.add(patch(grid, row, column))
            assert rule[patch(grid, row, column)] == after[row, column]
    assert len(seen) > 450


def test_all_neighbourhoods_are_there_once():
    task = load_task("life")
    assert task.train.x.shape == (512, 9)
    assert len(np.unique(task.train.x, axis=0)) == 512
    assert set(task.train.x.ravel()) == set(task.train.y.ravel()) == {-1, 1}
    assert (task.train.y > 0).sum() == 140  # 56 births, 28 + 56 survivals
    assert task.measured == ("train_loss", "train_accuracy")


def test_success_is_exact():
    task = load_task("life")
    assert task.signs
    assert [task.criterion.met({"train_accuracy": right / 512}) for right in (511, 512)] == [False, True]
