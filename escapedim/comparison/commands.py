"""The command that would measure a row: the one that made a summary, with what is missing added to it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

from escapedim.comparison.compatibility import UNSET, family
from escapedim.comparison.study import Study, StudySource
from escapedim.records.results import LotteryResult

_RECIPE = ("--task", "--activation", "--steps", "--lr", "--optimizer", "--schedule", "--batch-size", "--dtype",
           "-o", "--seed")  # fmt: skip
_NARROW, _SUBSETS = 4, 32  # units where no width is known; subnetworks that are trained unasked
_FILES = ("--config", "--preset")
_SWITCHES = frozenset(
    {"--escape", "--no-escape", "--lazy", "--lr-per-width", "--step-halving", "--instability", "--no-instability",
     "--replay", "--quiet", "--json", "--dry-run", "--force"}
)  # fmt: skip
_ABOUT_OUTPUT = frozenset({"--quiet", "--json", "--dry-run", "--force", "--out", "--jobs", "--device"})


def command(study: Study, subcommand: str, more: Mapping[str, str | None], without: Iterable[str] = ()) -> str:
    """Return `escapedim SUBCOMMAND ...` on the study's task with its recipe and the options `more` (None: a switch).

    Where the study has a summary of that subcommand, its own options are kept, but for those in `without`.
    """
    source = _origin(study, subcommand)
    options = _options(source.argv) if source else []
    own = source is not None and _is(source, subcommand)
    dropped = _ABOUT_OUTPUT | set(more) | set(without)
    if source and not own:
        options = [*_recipe(source, options), *_family(source)]
    kept = [(name, value) for name, value in options if name not in dropped]
    words = ["escapedim", subcommand]
    for name, value in (*kept, *more.items()):
        words += [name] if value is None else [name, value]
    return shlex.join(words)


def _origin(study: Study, subcommand: str) -> StudySource | None:
    """Return the source whose command line is taken: of the same subcommand if there is one."""
    ranked = sorted(study.sources, key=lambda source: not _is(source, subcommand))
    return next((source for source in ranked if source.argv), None)


def _is(source: StudySource, subcommand: str) -> bool:
    """Say whether a source was made by a subcommand from scratch, so that its options can be given to it again."""
    return list(source.argv[1:2]) == [subcommand] and not any(name == "--from" for name, _ in _options(source.argv))


def _family(source: StudySource) -> list[tuple[str, str | None]]:
    """Return the family of networks as an option, without its width: another subcommand may scale that."""
    name = family(source.config)
    return [] if name == UNSET["model"] else [("--model", name)]


def _recipe(source: StudySource, options: Sequence[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    """Return task and recipe as options that every subcommand takes.

    A file of settings is about one subcommand: what it says of the recipe is given in full.
    """
    if not any(name in _FILES for name, _ in options):
        return [(name, value) for name, value in options if name in _RECIPE]
    known = [(name, source.config.get(name.lstrip("-").replace("-", "_"))) for name in _RECIPE if name != "-o"]
    found: list[tuple[str, str | None]] = [(name, str(value)) for name, value in known if value is not None]
    init = source.config.get("init")
    return found if init is None else [*found, ("-o", f"init={init}")]


def isolate(study: Study) -> str:
    """Return the command that trains all subnetworks of R units of networks with one unit more: all there are."""
    narrow = study.base_width or _NARROW
    subsets = {} if narrow < _SUBSETS else {"--subsets": str(narrow + 1)}
    return _beside(study, {"--isolate": str(narrow), "--at": str(narrow + 1), **subsets})


def complement(study: Study) -> str:
    """Return the command that puts narrow networks among one more unit."""
    narrow = study.base_width or _NARROW
    return _beside(study, {"--complement": str(narrow), "--at": str(narrow + 1)})


def restarts(study: Study) -> str:
    """Return the command that holds narrow networks against wide ones."""
    return _beside(study, {"--restarts": str(study.base_width or _NARROW)})


def _beside(study: Study, more: Mapping[str, str | None]) -> str:
    """Return the command of widths with the base width and one unit more among them."""
    known = {entry.width for _, widen in study.widths() for entry in widen.widths}
    narrow = study.base_width or _NARROW
    if {narrow, narrow + 1} <= known:
        return command(study, "widen", more)
    widths = sorted({*known, narrow, narrow + 1})
    return command(study, "widen", {"--widths": ",".join(map(str, widths)), **more})


def again(study: Study, more: Mapping[str, str]) -> str:
    """Return `escapedim compare FILES` with more options."""
    files = [file for source in study.sources for file in source.files]
    return shlex.join(["escapedim", "compare", *files, *(word for pair in more.items() for word in pair)])


def rewind(study: Study) -> str:
    """Return the command that trains tickets under two orders of the data, with `prune` before it where it is needed.

    A rewind run takes task and recipe from the prune run.
    """
    lottery = next((file for source, _ in study.of(LotteryResult) for file in source.files), None)
    words = shlex.join(["escapedim", "rewind", lottery or "lottery.json", "--instability"])
    return words if lottery else f"{command(study, 'prune', {})} && {words}"


def _options(argv: Sequence[str]) -> list[tuple[str, str | None]]:
    """Return the options of a command line with their values; positional arguments are left out."""
    found: list[tuple[str, str | None]] = []
    words = iter(argv[2:])
    for word in words:
        name, joined, value = word.partition("=")
        if not word.startswith("-"):
            continue
        if name in _SWITCHES:
            found.append((name, None))
        else:
            found.append((name, value if joined and name.startswith("--") else next(words, "")))
    return found
