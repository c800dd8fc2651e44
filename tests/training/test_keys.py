"""Keys are read as they were written, and are no others'."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from escapedim.training.experiment import REPLICATES
from escapedim.training.keys import Key, members, stack_key
from escapedim.widening.member_keys import MEMBERS

WORDS = ("width", "members", "isolation-width", "a.b", "round(1)", "x+")
NAMES = ("width", "first", "last", "replicate")

fields = st.lists(st.sampled_from(NAMES), min_size=1, unique=True).flatmap(
    lambda names: st.tuples(*(st.tuples(st.sampled_from(WORDS), st.just(name), st.integers(1, 6)) for name in names))
)
keys = fields.map(lambda parts: Key("-".join(f"{word}-{{{name}:0{digits}d}}" for word, name, digits in parts)))


@st.composite
def with_numbers(draw):
    key = draw(keys)
    names = [name for name in NAMES if f"{{{name}:" in key.template]
    return key, {name: draw(st.integers(0, 10**7)) for name in names}  # also of more digits than a template has


@given(with_numbers())
def test_a_key_says_the_numbers_that_it_was_made_of(made):
    key, numbers = made
    assert key.read(key.of(**numbers)) == numbers


@given(with_numbers(), st.text("ab.x1(+-", min_size=1, max_size=3))
def test_a_key_with_more_in_front_of_it_is_of_another_template(made, more):
    key, numbers = made
    assert key.read(f"{more}{key.of(**numbers)}") is None


def test_words_are_words_and_no_patterns():
    key = Key("a.b-{n:02d}")
    assert key.of(n=7) == "a.b-07"
    assert [key.read(other) for other in ("aXb-07", "a.b-", "a.b-7x", "a.b--7", "")] == [None] * 5


@given(with_numbers(), st.lists(st.lists(st.integers(0, 999), min_size=4, max_size=4), max_size=4), st.randoms())
def test_numbers_among_other_keys_are_in_the_order_of_the_keys(made, more, random):
    key, numbers = made
    rows = [numbers, *(dict(zip(numbers, row, strict=False)) for row in more)]
    own = [key.of(**row) for row in rows]
    others = [f"other-{text}" for text in own]
    mixed = [*own, *others]
    random.shuffle(mixed)
    found = key.among(mixed)
    assert [key.of(**row) for row in found] == sorted(own)


@given(st.lists(st.integers(1, 5), max_size=6), st.integers(0, 999_000), st.randoms())
def test_stacks_are_the_members_of_every_key(sizes, start, random):
    ends = [*itertools.accumulate(sizes, initial=start)]
    expected = [tuple(range(first, after)) for first, after in itertools.pairwise(ends)]
    for key in (REPLICATES, stack_key("halved-width-000012")):
        written = [key.of(first=stack[0], last=stack[-1]) for stack in expected]
        random.shuffle(written)
        assert key.stacks([*written, "round-001-replicate-0002"]) == expected


def test_stacks_of_a_width_are_told_from_other_works():
    stacks = {3: [(0, 1), (2, 3, 4)], 1_000_000: [(999_999,)]}
    written = [
        MEMBERS.of(width=width, first=stack[0], last=stack[-1]) for width, parts in stacks.items() for stack in parts
    ]
    assert written[0] == "width-000003-members-000000-000001"
    others = ["width-000003-pilot-0.5", "replicates-000000-000003", "width-3-members-1"]
    found = MEMBERS.among([*reversed(written), *others])
    assert sorted((numbers["width"], members(numbers)) for numbers in found) == [
        (width, stack) for width, parts in stacks.items() for stack in parts
    ]


def test_a_stack_has_both_its_ends():
    assert stack_key("halved").of(first=3, last=12) == "halved-members-000003-000012"
    assert members({"first": 3, "last": 5, "width": 9}) == (3, 4, 5)
