"""The command that would measure a row: the one that made a summary, with what is missing added to it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

from escapedim.comparison.study import Source, Study

_RECIPE = ("--task", "--activation", "--steps", "--lr", "--optimizer", "--schedule", "--batch-size", "--dtype",
           "--config", "--preset", "-o", "--seed")  # fmt: skip
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
    own = source is not None and _subcommand(source) == subcommand
    dropped = _ABOUT_OUTPUT | set(more) | set(without)
    kept = [(name, value) for name, value in options if (own or name in _RECIPE) and name not in dropped]
    words = ["escapedim", subcommand]
    for name, value in (*kept, *more.items()):
        words += [name] if value is None else [name, value]
    return shlex.join(words)


def _origin(study: Study, subcommand: str) -> Source | None:
    """Return the source whose command line is taken: of the same subcommand if there is one."""
    ranked = sorted(study.sources, key=lambda source: _subcommand(source) != subcommand)
    return next((source for source in ranked if source.argv), None)


def _subcommand(source: Source) -> str:
    return source.argv[1] if len(source.argv) > 1 else ""


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
