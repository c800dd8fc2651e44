"""Laws of the failure rate, fitted jointly to all widths and judged by a parametric bootstrap.

Each law has what it does not say (the narrow failure rate, the shares that stay) as nuisance parameters of one joint
likelihood: plugging in estimates would reject a true law in a fifth to a half of studies. Its deviance against the
saturated model is compared with those of data drawn from the fitted law and fitted again. The one-parameter family is a
rival too, although it contains the disjoint law at widths that are multiples of r: without it, other smooth laws pass
for disjoint tickets in a tenth of simulated studies. Which law is preferred is the business of `preference`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from escapedim.comparison import chains, powers
from escapedim.comparison.counted import pooled, pooled_pairs
from escapedim.comparison.preference import Preference, off_by, paired_off_by, prefer
from escapedim.comparison.statistics import holm
from escapedim.comparison.study import MARGIN
from escapedim.records.comparison import Failures, Law, Laws, Predicted
from escapedim.records.experiments import Isolation, Share

DRAWS = 1999
"""Bootstrap draws: the smallest p-value, 1 in 2,000, is rejected at 0.005 among five laws."""

LITERAL, DISJOINT, INDEPENDENT, FAMILY, HEURISTIC = (
    "literal tickets",
    "disjoint tickets",
    "independent subsets",
    "family",
    "escape heuristic",
)
FORMULAS = {
    LITERAL: "q_lit(n)",
    DISJOINT: "q(r)^floor(n/r)",
    INDEPENDENT: "q(r)^C(n,r)",
    FAMILY: "q(r)^((n/r)^γ)",
    HEURISTIC: "q(n-1) · stay(n-1)",
}
ASSUMPTION = "The escape heuristic assumes that widening after training equals widening before."


@dataclass(frozen=True)
class Taken:
    """What laws take from elsewhere: isolation entries with all subsets, and shares that stay, by width."""

    isolation: Mapping[int, Sequence[Isolation]]
    stays: Mapping[int, Share]


def fit_laws(
    observed: Sequence[Failures],
    isolation: Mapping[int, Sequence[Isolation]],
    stays: Mapping[int, Share],
    base_width: int | None,
    level: float,
    seed: int,
    draws: int = DRAWS,
    margin: float = MARGIN,
    one_hidden: bool = True,
) -> Laws:
    """Fit every law to the failures by width, and say which are rejected at the family-wise `level`.

    But for networks with `one_hidden` layer, C(n,r) is not the number of subsets.
    """
    taken = Taken(isolation, stays)
    rng = np.random.default_rng(seed)
    made = [
        _literal(taken, rng, draws, level),
        *(
            _power(name, observed, base_width, rng, draws, level)
            if one_hidden or name != INDEPENDENT
            else _unfitted(name, "its subsets are counted for one hidden layer only")
            for name in (DISJOINT, INDEPENDENT, FAMILY)
        ),
        _heuristic(observed, taken, rng, draws, level),
    ]
    laws = _judged(made, level)
    widths = [one.width for one in observed if base_width is not None and one.width >= base_width]
    choice = prefer(laws, widths, base_width, margin)
    return Laws(
        base_width=base_width,
        observed=list(observed),
        taken={
            "q_lit": {str(width): pooled(one.q_lit for one in entries) for width, entries in isolation.items()},
            "stay": {str(width): found for width, found in stays.items()},
        },
        laws=laws,
        level=level,
        preferred=choice.name,
        sentence=_sentence(laws, choice),
    )


def _unfitted(name: str, reason: str) -> Law:
    return Law(name=name, formula=FORMULAS[name], reason=reason)


def _literal(taken: Taken, rng: np.random.Generator, draws: int, level: float) -> Law:
    """Equal failure rates of wide networks and of all their subnetworks: of discordant pairs half are of each kind."""
    tables = {width: pooled_pairs(one.table for one in entries) for width, entries in taken.isolation.items()}
    tables = {width: table for width, table in sorted(tables.items()) if table[2]}
    if not tables:
        return _unfitted(LITERAL, "no width has all its subnetworks trained alone")
    first, second = (np.array([table[side] for table in tables.values()]) for side in (0, 1))
    discordant = first + second
    deviance = _discordant_deviance(first[None], second[None])[0]
    drawn = rng.binomial(discordant, 0.5, size=(draws, len(discordant)))
    null = _discordant_deviance(drawn, discordant - drawn)
    shares = {width: pooled(one.q_lit for one in taken.isolation[width]) for width in tables}
    return Law(
        name=LITERAL,
        formula=FORMULAS[LITERAL],
        deviance=float(deviance),
        freedom=len(tables),
        p=_p(deviance, null),
        off_by=paired_off_by(tables.values(), level),
        predicted=[
            Predicted(width=width, rate=found.rate, band=found.interval)
            for width, found in shares.items()
            if found.rate is not None and found.interval is not None
        ],
    )


def _discordant_deviance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    of = first + second
    return np.asarray(
        2 * (_x_log(first, 2 * first / np.maximum(of, 1)) + _x_log(second, 2 * second / np.maximum(of, 1))).sum(1)
    )


def _power(
    name: str, observed: Sequence[Failures], base: int | None, rng: np.random.Generator, draws: int, level: float
) -> Law:
    chosen = [one for one in observed if base is not None and one.width >= base]
    reason = _unusable(chosen, 3 if name == FAMILY else 2)
    if base is None or reason:
        return _unfitted(name, reason or "no width was scaled")
    widths, failed, members = _columns(chosen)
    fit = _Family(widths / base) if name == FAMILY else _Fixed(_POWERS[name](widths, base))
    logs = fit.log_failure(failed[None], members)
    deviance = _deviance(failed[None], members, logs)[0]
    drawn = rng.binomial(members, np.exp(logs[0]), size=(draws, len(widths)))
    refitted = fit.log_failure(drawn, members)
    null = _deviance(drawn, members, refitted)
    return Law(
        name=name,
        formula=FORMULAS[name],
        deviance=float(deviance),
        freedom=len(widths) - (2 if name == FAMILY else 1),
        p=_p(deviance, null),
        off_by=off_by(failed, members, np.exp(logs[0]), level),
        parameters=fit.parameters(failed[None], drawn, members),
        predicted=_predicted(widths, logs[0], refitted),
    )


_POWERS = {DISJOINT: powers.disjoint, INDEPENDENT: powers.independent}


@dataclass(frozen=True)
class _Fixed:
    """A law whose powers are known."""

    powers: np.ndarray

    def log_failure(self, failed: np.ndarray, members: np.ndarray) -> np.ndarray:
        return powers.log_failure(powers.fit_rate(failed, members, self.powers), self.powers)

    def parameters(self, failed: np.ndarray, drawn: np.ndarray, members: np.ndarray) -> dict[str, float]:
        rates = [np.exp(-np.exp(powers.fit_rate(data, members, self.powers))) for data in (failed, drawn)]
        return _with_interval("q(r)", rates[0][0], rates[1])


@dataclass(frozen=True)
class _Family:
    """The family of powers (n/r)^γ."""

    ratios: np.ndarray

    def log_failure(self, failed: np.ndarray, members: np.ndarray) -> np.ndarray:
        found = powers.fit_family(failed, members, self.ratios)
        return powers.log_failure(found[:, 0], self.ratios ** found[:, 1:])

    def parameters(self, failed: np.ndarray, drawn: np.ndarray, members: np.ndarray) -> dict[str, float]:
        one, many = (powers.fit_family(data, members, self.ratios) for data in (failed, drawn))
        return {
            **_with_interval("q(r)", np.exp(-np.exp(one[0, 0])), np.exp(-np.exp(many[:, 0]))),
            **_with_interval("γ", one[0, 1], many[:, 1]),
        }


def _with_interval(name: str, value: float, drawn: np.ndarray) -> dict[str, float]:
    """Return a parameter with its 95 % interval: quantiles of the bootstrap."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {name: float(value), f"{name} low": float(low), f"{name} high": float(high)}


def _heuristic(observed: Sequence[Failures], taken: Taken, rng: np.random.Generator, draws: int, level: float) -> Law:
    stays = {width: found for width, found in taken.stays.items() if found.of}
    by = {one.width: one for one in observed}
    chain = chains.make_chain(sorted(by), stays)
    if chain is None:
        return _unfitted(HEURISTIC, "no two neighbouring widths have failed networks that were widened by one unit")
    counts = np.array([*(by[width].failed for width in chain.widths), *(stays[link].count for link in chain.links)])
    totals = np.array([*(by[width].members for width in chain.widths), *(stays[link].of for link in chain.links)])
    fitted = chains.fit_chain(chain, counts[None].astype(float), totals)
    deviance = _deviance(counts[None], totals, np.log(fitted))[0]
    drawn = rng.binomial(totals, fitted[0], size=(draws, len(totals)))
    refitted = chains.fit_chain(chain, drawn.astype(float), totals)
    null = _deviance(drawn, totals, np.log(refitted))
    size = len(chain.widths)
    # A share that stays matters by the failure rate that it multiplies.
    weights = np.concatenate([np.ones(size), fitted[0, [chain.widths.index(link) for link in chain.links]]])
    return Law(
        name=HEURISTIC,
        formula=FORMULAS[HEURISTIC],
        deviance=float(deviance),
        freedom=chain.freedom,
        p=_p(deviance, null),
        off_by=off_by(counts, totals, fitted[0], level, weights),
        parameters={f"stay({link})": float(fitted[0, size + at]) for at, link in enumerate(chain.links)},
        predicted=_predicted(np.array(chain.widths), np.log(fitted[0, :size]), np.log(refitted[:, :size])),
    )


def _unusable(chosen: Sequence[Failures], least: int) -> str:
    if len(chosen) < least:
        return f"it takes {least} widths from the base width on"
    failed, members = sum(one.failed for one in chosen), sum(one.members for one in chosen)
    if failed in (0, members):
        return f"{'no network' if failed == 0 else 'every network'} failed at these widths"
    return ""


def _columns(chosen: Sequence[Failures]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = np.array([(one.width, one.failed, one.members) for one in chosen])
    return rows[:, 0], rows[:, 1], rows[:, 2]


def _deviance(failed: np.ndarray, members: np.ndarray, log_failure: np.ndarray) -> np.ndarray:
    """Twice the log-likelihood that a law costs against a failure rate for every width `(draws,)`."""
    won = members - failed
    with np.errstate(divide="ignore"):
        log_success = np.log(-np.expm1(np.minimum(log_failure, -1e-300)))
    saturated = _x_log(failed, failed / members) + _x_log(won, won / members)
    lost = np.where(failed > 0, failed * np.maximum(log_failure, -1e12), 0.0)
    fitted = lost + np.where(won > 0, won * np.maximum(log_success, -1e12), 0.0)
    return np.asarray(np.maximum(0.0, 2 * (saturated - fitted).sum(1)))


def _x_log(count: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return count · ln share, 0 where the count is."""
    return np.asarray(count * np.log(np.where(count > 0, share, 1.0)))


def _p(deviance: float, null: np.ndarray) -> float:
    """Share of draws whose deviance is at least as large, the data among them (Davison & Hinkley 1997, section 4.2)."""
    return float((1 + (null >= deviance * (1 - 1e-9) - 1e-9).sum()) / (1 + len(null)))


def _predicted(widths: np.ndarray, log_failure: np.ndarray, drawn: np.ndarray) -> list[Predicted]:
    low, high = np.quantile(np.exp(drawn), [0.025, 0.975], axis=0)
    rates = np.exp(log_failure)
    return [
        Predicted(width=int(width), rate=_rate(rate), band=(_rate(min(down, rate)), _rate(max(up, rate))))
        for width, rate, down, up in zip(widths, rates, low, high, strict=True)
    ]


def _rate(value: float) -> float:
    return float(min(1.0, max(0.0, value)))


def _judged(laws: Sequence[Law], level: float) -> list[Law]:
    """Return the laws with what Holm's correction over them rejects."""
    known = [law for law in laws if law.p is not None]
    corrected = dict(zip((law.name for law in known), holm([law.p or 0.0 for law in known]), strict=True))
    return [
        law.model_copy(update={"rejected": corrected[law.name] <= level}) if law.name in corrected else law
        for law in laws
    ]


def _sentence(laws: Sequence[Law], choice: Preference) -> str:
    fits = [law.name for law in laws if law.rejected is False]
    rejected = [law.name for law in laws if law.rejected]
    unknown = [law.name for law in laws if law.rejected is None]
    parts = []
    for names, one, many in ((fits, "fits", "fit"), (rejected, "is rejected", "are rejected"),
                             (unknown, "could not be fitted", "could not be fitted")):  # fmt: skip
        if names:
            listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
            parts.append(f"{listed} {one if len(names) == 1 else many}")
    text = f"{'; '.join(parts)}; {choice.sentence}."
    return f"{text} {ASSUMPTION}" if HEURISTIC not in unknown else text
