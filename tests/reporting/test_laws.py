from __future__ import annotations

from escapedim.comparison.counted import share
from escapedim.comparison.fitting import fit_laws
from escapedim.records.comparison import Failures
from escapedim.reporting.laws import lines


def found(counts: dict[int, tuple[int, int]]):
    observed = []
    for width, (failed, members) in counts.items():
        own = share(failed, members)
        observed.append(Failures(width=width, failed=failed, members=members, rate=own.rate, interval=own.interval))
    return fit_laws(observed, {}, {6: share(30, 40)}, 6, 0.005, 0, draws=99)


def test_failure_rates_stand_beside_what_laws_predict():
    text = lines(found({6: (500, 1000), 7: (400, 1000), 12: (250, 1000)}), 160)
    row = next(line for line in text if line.startswith("12 "))
    assert "25.0 (22.4 to 27.8)" in row
    header = next(line for line in text if line.startswith("law "))
    assert "deviance" in header
    assert any(line.startswith("literal tickets") and line.rstrip().endswith("-") for line in text)


def test_the_widths_that_tell_are_shown_and_the_others_counted():
    counts = dict.fromkeys(range(6, 20), (1000, 1000)) | {20: (600, 1000), 21: (200, 1000)}
    text = lines(found(counts), 100)
    assert any(line.startswith("20 ") for line in text)
    assert any(line.startswith("21 ") for line in text)
    assert "8 widths more are in the JSON." in " ".join(" ".join(text).split())


def test_bands_go_where_there_is_no_room():
    wide, narrow = (lines(found({6: (500, 1000), 7: (400, 1000), 12: (250, 1000)}), width) for width in (160, 50))
    assert any("22.4 to 27.8" in line for line in wide)
    assert not any("22.4 to 27.8" in line for line in narrow)
    assert max(map(len, narrow)) <= 66
