"""The escape heuristic q(n+1) = q(n) · stay(n): failure rates that are products, fitted for many data sets at once.

Every probability, of failing at a width and of staying bad, is a product of parameters in (0, 1): the failure rate at
the first width of a run of neighbours, and the shares that stay. The measured shares are binomial data of their own, so
that their uncertainty is part of the fit. Fisher scoring in the logits of the parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_SCORINGS = 60
_LARGEST_LOGIT = 25.0


@dataclass(frozen=True)
class Chain:
    """Which parameters each observation is the product of: `design` `(observations, parameters)` of 0 and 1.

    The first observations are failures at `widths`, the others those that stay at `links` (the width that is left).
    """

    widths: tuple[int, ...]
    links: tuple[int, ...]
    design: np.ndarray

    @property
    def freedom(self) -> int:
        """Observations less parameters: one a link."""
        observations, parameters = self.design.shape
        return int(observations - parameters)


def make_chain(widths: Sequence[int], stays: Mapping[int, object]) -> Chain | None:
    """Return the chain over neighbouring widths with a measured share; None without one."""
    known = set(widths)
    links = [width for width in sorted(known) if width in stays and width + 1 in known]
    if not links:
        return None
    used = sorted({width for link in links for width in (link, link + 1)})
    starts = [width for width in used if width - 1 not in links]
    parameters = len(starts) + len(links)
    rows, current = list[np.ndarray](), np.zeros(parameters)
    for width in used:
        current = current.copy()
        if width in starts:
            current = np.zeros(parameters)
            current[starts.index(width)] = 1
        else:
            current[len(starts) + links.index(width - 1)] = 1
        rows.append(current)
    stay_rows = np.eye(parameters)[len(starts) :]
    return Chain(tuple(used), tuple(links), np.concatenate([np.stack(rows), stay_rows]))


def fit_chain(chain: Chain, counts: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Return the most likely probabilities `(draws, observations)` of `counts` of `totals` `(observations,)`."""
    design = chain.design
    logits = np.zeros((len(counts), design.shape[1])) + 0.5
    best = _likelihood(counts, totals, _probabilities(logits, design))
    for _ in range(_SCORINGS):
        share = 1 / (1 + np.exp(-logits))
        p = _probabilities(logits, design)
        gradient = design * (1 - share)[:, None, :]
        score = np.einsum("do,dop->dp", (counts - totals * p) / (1 - p), gradient)
        weight = totals * p / (1 - p)
        information = np.einsum("do,doi,doj->dij", weight, gradient, gradient) + 1e-9 * np.eye(design.shape[1])
        step = np.clip(np.linalg.solve(information, score[:, :, None])[:, :, 0], -3, 3)
        logits, best, moved = _line_search(logits, step, best, counts, totals, design)
        if moved < 1e-9:
            break
    return _probabilities(logits, design)


def _line_search(
    logits: np.ndarray, step: np.ndarray, best: np.ndarray, counts: np.ndarray, totals: np.ndarray, design: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Take the whole step, or half of it and so on, where that is more likely; return how much was gained at most."""
    gained = np.zeros(len(logits))
    open_ones = np.ones(len(logits), bool)
    for halving in range(6):
        tried = np.clip(logits + step / 2**halving, -_LARGEST_LOGIT, _LARGEST_LOGIT)
        found = _likelihood(counts, totals, _probabilities(tried, design))
        better = open_ones & (found > best)
        gained[better] = (found - best)[better]
        logits = np.where(better[:, None], tried, logits)
        best = np.where(better, found, best)
        open_ones &= ~better
        if not open_ones.any():
            break
    return logits, best, float(gained.max())


def _probabilities(logits: np.ndarray, design: np.ndarray) -> np.ndarray:
    logs = -np.logaddexp(0, -logits)
    return np.asarray(np.clip(np.exp(logs @ design.T), 1e-15, 1 - 1e-12))


def _likelihood(counts: np.ndarray, totals: np.ndarray, p: np.ndarray) -> np.ndarray:
    return np.asarray((counts * np.log(p) + (totals - counts) * np.log1p(-p)).sum(1))
