import pytest

from escapedim.records.experiments import Landing
from escapedim.reporting import landings
from tests.reporting.experiment_cases import landing

FOUND = [
    Landing.model_validate(one)
    for one in (
        landing("bad minimum", 40, 0.012873),
        landing("global minimum", 280, 2e-9),
        landing("bad minimum", 12, 0.0257341),
        landing("undecided", 2),
    )
]


def test_landings_are_counted_by_ending_and_told_by_loss():
    assert landings.cell(FOUND) == "280 G, 52 B, 2 U"
    assert landings.legend(FOUND).replace("\xa0", " ") == (
        "Landed: G global minimum, B bad minimum, U undecided. "
        "Losses: bad minimum at 0.012873 (40), bad minimum at 0.025734 (12)."
    )


def test_the_most_frequent_losses_of_many():
    many = [Landing(ending="saddle", loss=0.1 * k, members=k) for k in range(1, 6)]
    assert landings.legend(many).endswith(
        "Most frequent losses: saddle\xa0at\xa00.5\xa0(5), saddle\xa0at\xa00.4\xa0(4), saddle\xa0at\xa00.3\xa0(3)."
    )


def test_what_is_not_certified_needs_no_legend():
    assert landings.legend(FOUND[3:]) == ""
    assert not landings.certified(FOUND[3:])
    assert landings.cell([]) == "-"


@pytest.mark.parametrize(
    ("judged", "verb", "head"),
    [
        (["success"], "succeed", "success"),
        (["ending"], "end in a global minimum", "global min."),
        (["ending", "success"], "end in a global minimum or succeed", "global min."),
    ],
)
def test_what_is_scored(judged, verb, head):
    assert landings.verbs(judged)[1] == verb
    assert landings.head(judged) == head
