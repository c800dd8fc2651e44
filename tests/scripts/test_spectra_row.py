import pytest

from escapedim.errors import EscapedimError


@pytest.fixture(scope="module")
def spectra_row(script):
    return script("benchmarking.spectra_row")


@pytest.fixture(autouse=True)
def _without_curvlinops(spectra_row, monkeypatch):
    monkeypatch.setattr(spectra_row.importlib.util, "find_spec", lambda name: None)


def test_the_stack_is_held_against_a_loop(script, spectra_row):
    timing = script("benchmarking.timing")
    row = spectra_row.measure_spectra(timing.Scale(repeats=2, certify_members=3))
    assert (row.parameters, row.members, row.samples) == (97, 3, 500)
    assert [loop.name for loop in row.loops] == ["torch.autograd.functional.hessian"]
    assert row.loops[0].ratio == timing.Ratio.of(row.loops[0].network_ms, row.engine_ms)
    shown = [line for block in script("benchmarking.report_more").spectra_blocks(row) for line in block.lines]
    assert max(map(len, shown)) <= 80
    assert "curvlinops is not installed, and was left out;" in " ".join(shown)


def test_nothing_is_timed_where_another_hessian_is_made(script, spectra_row, monkeypatch):
    monkeypatch.setattr(spectra_row, "by_autograd", lambda setting: lambda row: row.outer(row))
    with pytest.raises(EscapedimError, match="makes another Hessian"):
        spectra_row.measure_spectra(script("benchmarking.timing").Scale(repeats=1, certify_members=1))
