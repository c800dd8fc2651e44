from escapedim.widening.keys import covered, members_key


def test_a_key_tells_its_width_and_replicates():
    stacks = {3: [(0, 1), (2, 3, 4)], 1_000_000: [(999_999,)]}
    keys = [members_key(width, replicates) for width, parts in stacks.items() for replicates in parts]
    assert keys[0] == "width-000003-members-000000-000001"
    assert covered(reversed(keys)) == stacks


def test_other_keys_are_left_out():
    assert covered(["width-000003-pilot-0.5", "replicates-000000-000003", "width-3-members-1"]) == {}
