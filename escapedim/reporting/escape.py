"""Escape in a widen report: failed members embedded in a wider network, against controls, and where they landed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from escapedim.records.experiments import Escape, Share
from escapedim.reporting import contrasts, endings, landings, numbers, shares
from escapedim.reporting.contrasts import Place
from escapedim.reporting.numbers import TIE
from escapedim.reporting.page import Section, prose
from escapedim.reporting.table import Column, fitted

MOST_ROWS = 9

_NOISE = "noise"
_REASONS = 3
_LAYOUTS = ((" ", False), (" ", True), ("\n", False), ("\n", True))


def section(entries: Sequence[Escape], width: int) -> Section:
    """Return what the embedding changed beside its controls, what it opened, and where the members landed."""
    shown = shares.most(entries, MOST_ROWS, lambda entry: entry.sources)
    body = [
        *fitted([_rates(shown, *layout) for layout in _LAYOUTS], width),
        *_opened(shown, width),
        *prose(_notes(entries, len(entries) - len(shown)), width),
    ]
    return Section("Escape", _sentence(entries), tuple(body))


def _sentence(entries: Sequence[Escape]) -> str:
    measured = [entry for entry in entries if entry.sources]
    if not measured:
        return "There was no failed member to embed."
    return f"{_one(measured[0]) if len(measured) == 1 else _several(measured)}{_curvature(measured)}"


def _one(entry: Escape) -> str:
    ending = "" if entry.source_ending == endings.FAILED else f" ({entry.source_ending})"
    layer = f", layer{TIE}{entry.layer}" if entry.layer > 1 else ""
    reached = shares.tally(entry.reached_global, *landings.verbs([entry.judged_by]), named=True)
    controls = entry.controls
    return (
        f"Of {numbers.plural(entry.sources, 'failed member')}{ending} of width{TIE}{entry.from_width:,}{layer}, "
        f"{_treatment(entry)}, {reached}; without it, {shares.told(controls.noise_only)}, "
        f"{contrasts.mcnemar(entry.against_noise.p)}; of fresh draws, {shares.told(controls.fresh_narrow)} at "
        f"width{TIE}{entry.from_width:,} and {shares.told(controls.fresh_wide)} at width{TIE}{entry.to_width:,}."
    )


def _treatment(entry: Escape) -> str:
    everywhere = "" if entry.layer else " of width in all layers"
    return f"widened by {numbers.plural(entry.by, 'unit')}{everywhere} ({_way(entry)}) and trained on"


def _way(entry: Escape) -> str:
    """Return "split, α = 0.5", and how the member was perturbed if not by noise."""
    alpha = "" if entry.alpha is None else f", α{TIE}={TIE}{entry.alpha:.3g}"
    return f"{entry.embedding}{alpha}{'' if entry.perturbation == _NOISE else f', {entry.perturbation}'}"


def _several(entries: Sequence[Escape]) -> str:
    places = _places(entries)
    widths = numbers.ranges([entry.from_width for entry in entries], "width")
    total = numbers.plural(_members(entries), "failed member")
    treatments = {_treatment(entry) for entry in entries}
    how = treatments.pop() if len(treatments) == 1 else "widened and trained on"
    reached = [(entry.reached_global, place) for entry, place in zip(entries, places, strict=True)]
    noise = [(entry.controls.noise_only, place) for entry, place in zip(entries, places, strict=True)]
    _, succeed = landings.verbs([entry.judged_by for entry in entries])
    return (
        f"Of {total} ({widths}), {how}, {contrasts.span(reached, named=True)} {succeed}; without it, "
        f"{contrasts.span(noise)}. {_compared(entries, places)}"
    )


def _compared(entries: Sequence[Escape], places: Sequence[Place]) -> str:
    tests = [(entry.against_noise, place) for entry, place in zip(entries, places, strict=True)]
    fresh = [
        (entry.reached_global.interval, entry.controls.fresh_narrow.interval, place)
        for entry, place in zip(entries, places, strict=True)
    ]
    beside = f"Against a fresh narrow draw, the interval {contrasts.beyond(fresh)}."
    return f"{contrasts.apart(tests)}. {beside}"


def _places(entries: Sequence[Escape]) -> list[Place]:
    return contrasts.places(
        [entry.from_width for entry in entries],
        [entry.source_ending for entry in entries],
        [_way(entry) for entry in entries],
        [numbers.plural(entry.by, "unit") for entry in entries],
        [f"layer{TIE}{entry.layer}" for entry in entries],
    )


def _members(entries: Sequence[Escape]) -> int:
    """Return how many members were embedded; those with several embeddings are counted once."""
    sources: dict[tuple[int, int, str], int] = {}
    for entry in entries:
        key = entry.layer, entry.from_width, entry.source_ending
        sources[key] = max(entry.sources, sources.get(key, 0))
    return sum(sources.values())


def _curvature(entries: Sequence[Escape]) -> str:
    spreads = [entry.negative_directions for entry in entries if entry.negative_directions is not None]
    if not spreads:
        return ""
    low, high = min(one.min for one in spreads), max(one.max for one in spreads)
    count = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    least = [entry.lambda_min for entry in entries if entry.lambda_min is not None]
    eigenvalue = f", least eigenvalue {numbers.loss(min(least))}" if least else ""
    noun = "direction" if count == "1" else "directions"
    return f" The embedding opened {count} negative {noun} a member{eigenvalue}."


def _rates(entries: Sequence[Escape], joint: str, whole: bool) -> list[Column | None]:
    def column(share: Callable[[Escape], Share]) -> list[str]:
        return [shares.cell(share(entry), joint, whole) for entry in entries]

    return [
        *_which(entries, joint),
        ("failed", [f"{entry.sources:,}" for entry in entries]),
        (
            f"embedded,\n{landings.head([entry.judged_by for entry in entries])}, %",
            column(lambda one: one.reached_global),
        ),
        ("noise\nonly, %", column(lambda one: one.controls.noise_only)),
        ("p", [shares.p_cell(entry.against_noise.p) for entry in entries]),
        ("fresh\nnarrow, %", column(lambda one: one.controls.fresh_narrow)),
        ("fresh\nwide, %", column(lambda one: one.controls.fresh_wide)),
    ]


def _which(entries: Sequence[Escape], joint: str) -> list[Column | None]:
    """Return the columns that say which entry a row is: its width, and what else differs or is not the default."""
    names = [entry.source_ending for entry in entries]
    ways = [_way(entry).replace(", ", f",{joint}").replace(TIE, " ") for entry in entries]
    by = [f"{entry.by:,}" for entry in entries]
    layers = [f"{entry.layer:,}" for entry in entries]
    return [
        ("width", [f"{entry.from_width:,}" for entry in entries]),
        None if set(layers) == {"1"} else ("layer", layers),
        None if set(names) == {endings.FAILED} else ("ending", [name.replace(" ", joint) for name in names]),
        ("embedding", ways) if len(set(ways)) > 1 else None,
        ("by", by) if len(set(by)) > 1 else None,
    ]


def _opened(entries: Sequence[Escape], width: int) -> list[str]:
    """Return the table of curvature and landings; nothing where there is neither."""
    if not any(entry.negative_directions or entry.escaped or _gradient(entry) for entry in entries):
        return []
    return ["", *fitted([_opened_columns(entries, joint) for joint in " \n"], width)]


def _opened_columns(entries: Sequence[Escape], joint: str) -> list[Column | None]:
    gradients = [_gradient(entry) for entry in entries]
    return [
        *_which(entries, joint),
        ("negative\ndirections", [_directions(entry) for entry in entries]),
        ("least\neigenvalue", [_number(entry.lambda_min) for entry in entries]),
        ("opened\ngradient", [_number(one) for one in gradients]) if any(gradients) else None,
        ("left the\nloss", [_escaped(entry) for entry in entries]),
        ("landed", [landings.cell(entry.landings) for entry in entries]),
    ]


def _gradient(entry: Escape) -> float | None:
    """Return the opened gradient; a critical embedding's is rounding."""
    return None if entry.critical else entry.opened_gradient


def _directions(entry: Escape) -> str:
    found = entry.negative_directions
    if found is None:
        return shares.MISSING
    return f"{found.min:g}" if found.min == found.max else f"{found.median:g} ({found.min:g} to {found.max:g})"


def _number(value: float | None) -> str:
    return shares.MISSING if value is None else numbers.loss(value)


def _escaped(entry: Escape) -> str:
    return shares.MISSING if entry.escaped is None else f"{entry.escaped.count:,} of {entry.escaped.of:,}"


def _notes(entries: Sequence[Escape], hidden: int) -> str:
    texts = [
        "Noise only: the same members, noise and training without new units; p: McNemar's test against it.",
        "Read literally, tickets predict the noise-only share; escape dimensions more than it and a fresh narrow draw.",
        "Negative directions: median (range)." if any(entry.negative_directions for entry in entries) else "",
        landings.legend([one for entry in entries for one in entry.landings]),
        _uncritical(entries),
        _not_computed(entries),
        shares.more(hidden, "entries"),
    ]
    return " ".join(text for text in texts if text)


def _uncritical(entries: Sequence[Escape]) -> str:
    ways = dict.fromkeys(_way(entry) for entry in entries if entry.critical is False)
    return f"Not critical, so that it opens a gradient: {'; '.join(ways)}." if ways else ""


def _not_computed(entries: Sequence[Escape]) -> str:
    reasons = list(dict.fromkeys(entry.reason for entry in entries if entry.reason))[:_REASONS]
    return f"Curvature was not computed: {'; '.join(reasons)}." if reasons else ""
