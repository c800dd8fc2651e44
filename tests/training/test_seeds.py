import hashlib

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.training.seeds import derive_seed, torch_generator

words = st.text(max_size=6) | st.sampled_from(["1", ", ", '"', "1, 2"])
integers = st.integers(0, 2**63 - 1) | st.integers(0, 12)
keys = st.tuples(integers, words, words, integers) | st.tuples(integers, words, words, integers, integers | words)


def test_a_seed_is_the_first_63_bits_of_the_hash():
    digest = hashlib.sha256(b'[7, "data order", "mlp 2-3-1 relu", 4, 9]').hexdigest()
    assert derive_seed(7, "data order", "mlp 2-3-1 relu", 4, 9) == int(digest[:16], 16) // 2


@settings(deadline=None)
@given(st.lists(keys, min_size=2, max_size=6, unique_by=repr))
def test_every_purpose_has_its_own_seed(keys):
    seeds = [derive_seed(*key) for key in keys]
    assert len(set(seeds)) == len(keys)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seeds == [derive_seed(*key) for key in keys]


def test_a_generator_is_its_own_stream_whatever_else_is_drawn():
    before = torch.random.get_rng_state()
    first = torch.randn(5, generator=torch_generator(3))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(17)
    assert torch.equal(torch.randn(5, generator=torch_generator(3)), first)
    assert torch_generator(2**63 - 1).device.type == "cpu"
