from __future__ import annotations

import math

import pytest

from escapedim.errors import BadInput
from escapedim.tasks.criteria import parse_criterion

NAMES = ("train_loss", "test_loss", "train_accuracy", "test_accuracy")

# text: metric, the values that meet it, the values that do not
READ = {
    "train_accuracy>=0.99": ("train_accuracy", (0.99, 1.0), (0.98, math.nan)),
    "accuracy > .5": ("train_accuracy", (0.51,), (0.5, 0.49)),
    " test_accuracy>=1 ": ("test_accuracy", (1.0,), (0.999,)),
    "loss<=1e-6": ("train_loss", (0.0, 1e-6), (1.1e-6, math.inf, math.nan)),
    "train_loss<1e-6": ("train_loss", (0.0,), (1e-6,)),
    "test_loss <2": ("test_loss", (1.0,), (2.0,)),
}


@pytest.mark.parametrize("text", READ)
def test_a_criterion_is_read_as_it_is_written(text):
    metric, met, missed = READ[text]
    criterion = parse_criterion(text, NAMES)
    assert criterion.metric == metric
    assert [criterion.met({metric: value}) for value in (*met, *missed)] == [True] * len(met) + [False] * len(missed)


REFUSED = {
    "": "success is written",
    "0.95": "success is written",
    "train_accuracy=0.9": "success is written",
    "train_accuracy==0.9": "success is written",
    "train_accuracy>=": "success is written",
    "train_accuracy>=0.9 and loss<1": "success is written",
    "train_acuracy>=0.9": "did you mean 'train_accuracy'?",
    "los<=1": "did you mean 'loss'?",
    "train_accuracy>=ninety": "expected a finite number, found 'ninety'",
    "loss<=inf": "expected a finite number",
    "loss<=nan": "expected a finite number",
    "train_accuracy>=95": "a share from 0 to 1, found 95",
    "accuracy>=-0.1": "a share from 0 to 1",
    "loss<=-1": "never below 0",
    "loss<==1": "success is written",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_criterion_is_refused_in_a_sentence(text):
    with pytest.raises(BadInput) as refused:
        parse_criterion(text, NAMES)
    assert REFUSED[text] in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_alias_of_what_a_task_does_not_measure_is_refused():
    with pytest.raises(BadInput, match="measures no 'accuracy'"):
        parse_criterion("accuracy>=0.9", ("train_loss",))


def test_a_threshold_is_written_with_all_its_digits():
    for text in ("train_loss <= 0.0012345678901234", "train_accuracy >= 0.9999999", "train_loss <= 1e-06"):
        assert str(parse_criterion(text, NAMES)) == text
