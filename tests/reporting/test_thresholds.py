from escapedim.reporting.thresholds import lines
from tests.reporting.widen_cases import digits, thresholds, widen, width


def run(*failures, members=100):
    entries = [
        width(6 + k, members, 0, {"undecided": members}, threshold_sensitivity=thresholds(members, found))
        for k, found in enumerate(failures)
    ]
    return widen(entries).result


def test_nothing_is_said_without_another_threshold():
    assert lines(run({}), 80) == []
    assert lines(run({1e-3: 4}), 80) == []


def test_failures_that_never_change_are_one_sentence():
    same = run({1e-2: 4, 1e-3: 4}, {1e-2: 0, 1e-3: 0})
    assert lines(same, 80) == ["Failures are the same at all thresholds from 0.001 to 0.01."]


def test_widths_where_failures_change_have_a_line_each():
    assert lines(run({1e-2: 4, 1e-3: 4}, {1e-2: 10, 1e-3: 20, 1e-4: 30}), 100) == [
        "Failures change with the threshold at 1 of 2 widths:",
        "  width 7: 30.0 % (21.9 to 39.6) fail at 0.0001, 10.0 % (5.5 to 17.4) fail at 0.01",
    ]


def test_one_width_is_this_width():
    assert lines(run({0.9: 1, 0.95: 2}), 80)[0] == "Failures change with the threshold at this width:"


def test_the_most_changed_widths_are_shown_by_width():
    found = lines(digits().result, 100)
    assert found[0] == "Failures change with the threshold at 16 of 16 widths, most at these 3:"
    assert [line.split(":")[0] for line in found[1:]] == ["  width 5", "  width 6", "  width 7"]
    assert max(map(len, lines(digits().result, 80))) <= 80
