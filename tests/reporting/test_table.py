from escapedim.reporting.table import narrowest_fit, text_table


def test_columns_are_aligned_and_cells_may_have_two_lines():
    assert text_table(["arm", "value"], [["ticket", "98.22 ± 0.17\n(1 diverged)"], ["x", "7"]]) == [
        "arm            value",
        "────────────────────",
        "ticket  98.22 ± 0.17",
        "        (1 diverged)",
        "x                  7",
    ]


def test_a_table_without_rows_is_its_header():
    assert text_table(["a", "b"], []) == ["a  b", "────"]


def test_the_first_table_that_fits_is_taken_and_else_the_last():
    assert narrowest_fit([["12345"], ["123"]], 5) == ["12345"]
    assert narrowest_fit([["12345"], ["123"]], 4) == ["123"]
    assert narrowest_fit([["12345"], ["123"]], 1) == ["123"]
