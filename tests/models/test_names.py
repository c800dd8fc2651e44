from escapedim.models.activations import TABLE
from escapedim.models.mlp import DRAWS
from escapedim.models.names import ACTIVATIONS, INITIALISATIONS


def test_names_that_need_no_torch_are_the_ones_that_exist():
    assert set(ACTIVATIONS) == set(TABLE)
    assert len(ACTIVATIONS) == len(TABLE)
    assert set(INITIALISATIONS) == set(DRAWS)
    assert len(INITIALISATIONS) == len(DRAWS)
