from escapedim.reporting.table import by_columns, fitted, narrowest_fit, text_table


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


COLUMNS = [("width", ["2", "16"]), None, ("success,\nrate", ["12.0 (8.9 to 16.0)", "7\n(1 to 9)"])]


def test_columns_are_a_table_aligned_to_the_right():
    assert by_columns([("a", ["1", "22"]), ("b", ["x", "y"])]) == [" a  b", "─────", " 1  x", "22  y"]


def test_the_first_layout_that_fits_is_taken_with_the_wider_gap_first():
    narrow = [("width", ["2", "16"])]
    assert max(map(len, fitted([COLUMNS, narrow], 25))) == 25
    assert max(map(len, fitted([COLUMNS, narrow], 24))) == 24
    assert fitted([COLUMNS, narrow], 23) == ["width", "─────", "    2", "   16"]


def test_rows_are_paragraphs_where_no_layout_fits():
    assert fitted([COLUMNS], 22) == [
        "  width: 2, success,",
        "    rate: 12.0 (8.9 to",
        "    16.0)",
        "  width: 16, success,",
        "    rate: 7 (1 to 9)",
    ]
