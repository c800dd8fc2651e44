import inspect

import torch

from escapedim.specs import Spec, take_params
from escapedim.training.optimizer_names import DTYPES, OPTIMIZERS
from escapedim.training.optimizers import Optimizer, padded


def test_defaults_are_those_of_torch():
    classes = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD, "gd": torch.optim.SGD}
    for name, params in OPTIMIZERS.items():
        theirs = {key: parameter.default for key, parameter in inspect.signature(classes[name]).parameters.items()}
        if "betas" in theirs:
            theirs["beta1"], theirs["beta2"] = theirs["betas"]
        assert params == {key: theirs[key] for key in params}


def test_every_name_can_be_used():
    for name, params in OPTIMIZERS.items():
        assert take_params(Spec(name), params) == params
        Optimizer(Spec(name), padded(torch.zeros(1, 2)))
    assert [getattr(torch, name) for name in DTYPES] == [torch.float32, torch.float64]
