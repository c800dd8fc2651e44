import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.reporting import endings, widths
from tests.reporting.conftest import flat
from tests.reporting.widen_cases import MINIBATCH, digits, everything, rates, teacher, widen, width

ROWS = [
    width(6, 1000, 654, {"global minimum": 654, "bad minimum": 345, "saddle": 1}, parameters=36, median_steps=4120.4),
    width(12, 1000, 1000, {"global minimum": 1000}, parameters=1072, loss_quantiles={}, median_steps=None),
]


def table(entries, columns=100):
    return widths.tables(widen(entries).result, columns)


def notes(entries, columns=100):
    return flat(" ".join(widths.notes(widen(entries).result, columns)))


def test_a_known_table_with_counts_and_bars_cell_by_cell():
    assert table(ROWS, 84) == [
        "width  parameters  success           95 %  median  median      G    B  S  endings",
        "                   rate, %       interval    loss   steps",
        "─" * 84,
        "    6          36     65.4  62.4 to  68.3   0.187   4,120    654  345  1  GGGGGGBBBS",
        "   12       1,072    100.0  99.6 to 100.0       -       -  1,000    0  0  GGGGGGGGGG",
    ]


def test_members_have_a_column_where_there_is_room():
    first = [table(ROWS, columns)[0].split() for columns in (93, 92, 75, 74)]
    assert ["members" in line for line in first] == [True, False, False, True]
    assert [line[-1] for line in first] == ["endings", "endings", "endings", "median"]


def test_members_that_differ_always_have_a_column():
    varied = [ROWS[0], width(12, 10, 10, {"global minimum": 10})]
    assert all("members" in table(varied, columns)[0] for columns in (80, 100))
    assert notes(varied).startswith("Endings of the members: G global minimum")


def test_bars_without_room_beside_the_table_stand_below_it():
    lines = table(ROWS, 60)
    assert lines[0].split() == ["width", "parameters", "members", "success", "95", "%", "median", "median"]
    assert lines[6] == "width      G    B  S  endings"
    assert lines[8].split() == ["6", "654", "345", "1", "G" * 24 + "B" * 13 + "S"]


def test_one_ending_is_a_sentence_and_no_bar():
    lines = table([width(6, 10, 10, {"global minimum": 10, "saddle": 0})])
    assert "endings" not in lines[0]
    assert notes([width(6, 10, 10, {"global minimum": 10})]) == "Ending of all 10 members: global minimum."


def test_nothing_certified_for_one_reason_is_one_sentence():
    found = digits().result
    assert widths.notes(found, 100) == [f"Undecided, 1,600 of 1,600 members: {MINIBATCH}."]


def test_a_learning_rate_that_varies_has_a_column():
    assert " lr " not in table(ROWS)[0]
    assert " lr " in table([ROWS[0], {**ROWS[1], "lr": 0.1 / 3}], 120)[0]
    assert " 0.0333 " in table([ROWS[0], {**ROWS[1], "lr": 0.1 / 3}], 120)[4]


def test_a_width_without_members_has_dashes():
    assert table([width(6, 0, 0, {})])[-1].split() == ["6", "460", "0", "-", "-", "-", "1,000"]
    assert notes([width(6, 0, 0, {})]) == ""
    assert table([]) == []


def test_the_notes_have_letters_marginal_curvature_restarts_and_reasons():
    assert widths.notes(teacher().result, 100) == [
        "Endings of the 1,000 members of each width: G global minimum, B bad minimum, S saddle,",
        "P plateau saddle, T stalled, U undecided; the bars show each that occurs. Marginal curvature: 2,959",
        "of 3,998 certified endings. Started again with half the step after diverging: 3 of 4,000 members.",
        "Stalled or undecided, 2 of 4,000 members:",
        "  1  the gradient norm stayed at 3e-07",
        "  1  the polish left the basin",
    ]


def test_endings_of_other_programs_share_a_letter():
    lines = table([width(6, 10, 10, {"ring": 3, "spiral": 3, "global minimum": 4})])
    assert lines[0].split()[-3:] == ["G", "?", "endings"]
    assert lines[-1].split()[-3:-1] == ["4", "6"]


@pytest.mark.parametrize("columns", [80, 100, 120])
@pytest.mark.parametrize("summary", [digits(), teacher(), everything(), rates({2: 0, 100_000: 10**6}, 10**6)])
def test_tables_keep_the_width(summary, columns):
    assert max(map(len, widths.tables(summary.result, columns))) <= columns


@given(
    st.lists(
        st.dictionaries(st.sampled_from([*endings.LETTERS, "ring"]), st.integers(0, 10**7), max_size=9), max_size=5
    ),
    st.sampled_from([80, 100, 120]),
)
@settings(max_examples=60, deadline=None)
def test_any_endings_have_bars_of_one_length_that_show_whatever_occurs(found, columns):
    entries = [width(2 + k, sum(counts.values()), 0, counts) for k, counts in enumerate(found)]
    result = widen(entries).result
    if not widths.varied(result):
        return
    bars = [line.split()[-1] for line in widths.tables(result, columns)[-len(found) :]]
    for bar, counts in zip(bars, found, strict=True):
        if any(counts.values()):
            assert set(bar) == {endings.letter(name) for name, count in counts.items() if count}
    assert len({len(bar) for bar, counts in zip(bars, found, strict=True) if any(counts.values())}) == 1
