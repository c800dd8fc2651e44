from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from escapedim.comparison import chains, powers
from escapedim.comparison.counted import share
from escapedim.comparison.fitting import (
    DISJOINT,
    FAMILY,
    HEURISTIC,
    INDEPENDENT,
    LITERAL,
    fit_laws,
)
from escapedim.records.comparison import Failures
from escapedim.records.experiments import Isolation

from .cases import isolation

DRAWS = 399


def failures(counts: dict[int, tuple[int, int]]) -> list[Failures]:
    found = [(width, *pair, share(*pair)) for width, pair in counts.items()]
    return [Failures(width=w, failed=f, members=n, rate=s.rate, interval=s.interval) for w, f, n, s in found]


def laws(counts, entries=None, stays=None, base: int | None = 4, level: float = 0.05, seed: int = 0):
    tables = {width: [Isolation.model_validate(entry)] for width, entry in (entries or {}).items()}
    found = fit_laws(failures(counts), tables, stays or {}, base, level, seed, draws=DRAWS)
    return {law.name: law for law in found.laws}, found


def test_a_rate_is_the_maximum_of_the_joint_likelihood():
    failed, members, times = np.array([30.0, 12.0, 5.0]), np.array([50.0, 60.0, 70.0]), np.array([1.0, 2.0, 3.0])

    def minus(log_rate: float) -> float:
        return -stats.binom.logpmf(failed, members, np.exp(-np.exp(log_rate) * times)).sum()

    expected = optimize.minimize_scalar(minus, bracket=(-2, 1), tol=1e-12).x
    assert powers.fit_rate(failed[None], members, times)[0] == pytest.approx(expected, abs=1e-6)


def test_the_family_is_the_maximum_over_both_parameters():
    failed, members, ratios = np.array([30.0, 22.0, 5.0]), np.array([50.0, 60.0, 70.0]), np.array([1.0, 1.5, 3.0])

    def minus(at: np.ndarray) -> float:
        return -stats.binom.logpmf(failed, members, np.exp(-np.exp(at[0]) * ratios ** at[1])).sum()

    expected = optimize.minimize(minus, [0.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}).x
    assert powers.fit_family(failed[None], members, ratios)[0] == pytest.approx(expected, abs=1e-5)


def test_the_family_is_found_from_far_away():
    """Rates from 1 to 0 over a few widths, as of the digits: the exponent is large."""
    ratios = np.array([2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 32, 80]) / 2
    failed, members = np.array([100, 100, 100, 100, 99, 76, 12, 0, 0, 0, 0, 0.0]), np.full(12, 100.0)
    (found,) = powers.fit_family(failed[None], members, ratios)

    def minus(at: np.ndarray) -> float:
        exponent = np.exp(np.clip(at[0] + at[1] * np.log(ratios), -60, 8))
        return -((members - failed) * np.log(-np.expm1(-exponent)) - failed * exponent).sum()

    best = optimize.minimize(minus, found + 0.3, method="Nelder-Mead", options={"maxiter": 4000, "fatol": 1e-12})
    assert minus(found) == pytest.approx(best.fun, abs=1e-5)
    assert np.exp(-np.exp(found[0] + found[1] * np.log(7 / 2))) == pytest.approx(0.7, abs=0.15)
    again = powers.fit_family(np.repeat(failed[None], 3, 0), members, ratios)
    assert np.allclose(again, found, atol=1e-6)


def test_a_chain_is_the_maximum_over_all_its_parameters():
    chain = chains.make_chain([4, 5, 6, 9], {4: None, 5: None, 9: None})
    assert (chain.widths, chain.links, chain.freedom) == ((4, 5, 6), (4, 5), 2)
    counts, totals = np.array([60.0, 30.0, 20.0, 12.0, 25.0]), np.array([100.0, 100.0, 100.0, 30.0, 40.0])

    def minus(logits: np.ndarray) -> float:
        q, *stay = 1 / (1 + np.exp(-logits))
        rates = np.array([q, q * stay[0], q * stay[0] * stay[1], *stay])
        return -stats.binom.logpmf(counts, totals, rates).sum()

    best = optimize.minimize(minus, [0.0, 0.0, 0.0], tol=1e-12)
    found = chains.fit_chain(chain, counts[None], totals)[0]
    assert -stats.binom.logpmf(counts, totals, found).sum() == pytest.approx(best.fun, abs=1e-6)
    assert found[1] == pytest.approx(found[0] * found[3])
    assert chains.make_chain([4, 6], {4: None}) is None


@pytest.mark.parametrize("at_the_edge", [np.array([50.0, 50.0, 30.0]), np.array([0.0, 0.0, 0.0])])
def test_a_chain_at_the_edge_is_finite(at_the_edge):
    chain = chains.make_chain([4, 5], {4: None})
    found = chains.fit_chain(chain, at_the_edge[None], np.array([50.0, 50.0, 30.0]))
    assert np.isfinite(found).all()
    assert ((found > 0) & (found < 1)).all()


def drawn(q: dict[int, float], members: int = 2000, seed: int = 1) -> dict[int, tuple[int, int]]:
    rng = np.random.default_rng(seed)
    return {width: (int(rng.binomial(members, rate)), members) for width, rate in q.items()}


def test_disjoint_tickets_are_found_where_they_are_true():
    found, _ = laws(drawn({n: 0.7 ** (n // 4) for n in (4, 6, 8, 12, 16)}))
    assert found[DISJOINT].rejected is False
    assert found[INDEPENDENT].rejected
    assert found[DISJOINT].parameters["q(r) low"] < 0.7 < found[DISJOINT].parameters["q(r) high"]
    for one in found[DISJOINT].predicted:
        assert one.band[0] <= one.rate <= one.band[1]


def test_independent_subsets_are_found_where_they_are_true():
    found, _ = laws(drawn({n: 0.95 ** math.comb(n, 4) for n in (4, 5, 6)}))
    assert found[INDEPENDENT].rejected is False
    assert found[DISJOINT].rejected


def test_the_family_finds_its_exponent():
    found, _ = laws(drawn({n: 0.8 ** ((n / 4) ** 1.7) for n in (4, 5, 6, 8, 10)}, 20_000))
    assert found[FAMILY].rejected is False
    assert found[FAMILY].parameters["γ low"] < 1.7 < found[FAMILY].parameters["γ high"]
    assert found[DISJOINT].rejected


def test_a_law_is_preferred_only_if_every_rival_is_rejected():
    rates = {4: 0.6, 5: 0.45, 6: 0.2, 7: 0.19}
    stays = {4: share(300, 400), 5: share(178, 400), 6: share(380, 400)}
    entries = {5: isolation(5, 500, 300, 50, 150)}
    found, result = laws(drawn(rates), entries, stays)
    assert found[HEURISTIC].rejected is False
    assert found[LITERAL].rejected
    assert found[DISJOINT].rejected
    assert result.preferred == HEURISTIC
    assert "assumes that widening after training equals widening before" in result.sentence
    without, result = laws(drawn(rates), None, stays)
    assert without[LITERAL].rejected is None
    assert result.preferred is None
    assert "could not be fitted" in result.sentence


def test_literal_tickets_are_judged_in_pairs():
    true, _ = laws({4: (500, 1000)}, {5: isolation(5, 500, 20, 25, 455)})
    assert true[LITERAL].rejected is False
    assert true[LITERAL].freedom == 1
    false, _ = laws({4: (500, 1000)}, {5: isolation(5, 500, 60, 10, 430)})
    assert false[LITERAL].rejected


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({4: (5, 10)}, "it takes 2 widths"),
        ({4: (0, 10), 5: (0, 10)}, "no network failed"),
        ({4: (10, 10), 5: (10, 10)}, "every network failed"),
    ],
)
def test_what_cannot_be_fitted_says_why(counts, words):
    found, result = laws(counts)
    assert words in found[DISJOINT].reason
    assert result.preferred is None
    assert all(law.p is None for law in found.values())


def test_millions_of_members_and_large_widths_are_numbers():
    found, _ = laws({n: (max(1, int(1e6 * 0.5 ** (n / 6))), 10**6) for n in (6, 30, 64, 512, 4096)}, base=6)
    for law in found.values():
        assert law.p is None or 0 < law.p <= 1
        assert all(0 <= one.rate <= 1 for one in law.predicted)


def test_a_seed_gives_the_same_again():
    counts = drawn({4: 0.6, 5: 0.5, 8: 0.3})
    assert laws(counts, seed=3)[1] == laws(counts, seed=3)[1]
