from escapedim.models.activations import TABLE
from escapedim.models.initialisation import SPREADS
from escapedim.models.layer_names import ACTIVATIONS, INITIALISATIONS


def test_names_that_need_no_torch_are_the_ones_that_exist():
    assert set(ACTIVATIONS) == set(TABLE)
    assert len(ACTIVATIONS) == len(TABLE)
    assert set(INITIALISATIONS) == set(SPREADS)
    assert len(INITIALISATIONS) == len(SPREADS)
