from __future__ import annotations

import json

from escapedim.landscape.counting import counts
from escapedim.reporting.counting import as_json, table


def test_fits_eighty_columns_with_whole_numbers():
    text = table(4, counts(4, [4, 12, 40, 1000]))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.split() == ["12", "523,251", "1,527,384,144", "0.0003426"] for line in lines)
    assert "not volumes" in text


def test_integers_too_large_for_json_readers_are_exact_text():
    small, large = json.loads(as_json(4, counts(4, [4, 100])))["widths"]
    assert small["critical_subspaces"] == 51
    assert int(large["critical_subspaces"]) == counts(4, [100])[0].critical
