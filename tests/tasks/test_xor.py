from escapedim.tasks.registry import load_task


def test_the_four_points_are_exclusive_or():
    task = load_task("xor")
    points = {tuple(x > 0): bool(y > 0) for x, (y,) in zip(task.train.x, task.train.y, strict=True)}
    assert points == {(a, b): a ^ b for a in (False, True) for b in (False, True)}
    assert set(task.train.x.ravel()) == set(task.train.y.ravel()) == {-1, 1}


def test_success_is_all_four_right_and_nothing_is_held_out():
    task = load_task("xor")
    assert task.signs
    assert [task.criterion.met({"train_accuracy": share}) for share in (0.75, 1.0)] == [False, True]
    assert task.measured == ("train_loss", "train_accuracy")
