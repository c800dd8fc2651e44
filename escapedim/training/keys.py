"""Keys of works: the names of their checkpoints, written and read in one place.

A key is a template of words and whole numbers, such as `width-{width:06d}-members-{first:06d}-{last:06d}`. What a work
is about is read from the numbers of its key, by name, and from nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from string import Formatter

Numbers = dict[str, int]


@dataclass(frozen=True)
class Key:
    """A template of keys."""

    template: str

    def of(self, **numbers: int) -> str:
        """Return the key with these numbers."""
        return self.template.format(**numbers)

    def read(self, key: str) -> Numbers | None:
        """Return the numbers of a key by name; None of a key of another template."""
        match = self._pattern.fullmatch(key)
        numbers = {} if match is None else {name: int(text) for name, text in match.groupdict().items()}
        return numbers if match is not None and self.of(**numbers) == key else None

    def among(self, keys: Iterable[str]) -> list[Numbers]:
        """Return the numbers of those keys that are of this template, in the order of the keys."""
        return [numbers for numbers in map(self.read, sorted(keys)) if numbers is not None]

    def stacks(self, keys: Iterable[str]) -> list[tuple[int, ...]]:
        """Return the members of each stack of neighbours, where a template has a `first` and a `last`."""
        return [members(numbers) for numbers in self.among(keys)]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = Formatter().parse(self.template)
        return re.compile(
            "".join(re.escape(text) + (rf"(?P<{name}>\d+)" if name else "") for text, name, _, _ in parts)
        )


def stack_key(prefix: str) -> Key:
    """Return the template of keys of stacks of neighbours, behind a prefix that may have numbers of its own."""
    return Key(f"{prefix}-members-{{first:06d}}-{{last:06d}}")


def members(numbers: Numbers) -> tuple[int, ...]:
    """Return the replicates from `first` to `last`."""
    return tuple(range(numbers["first"], numbers["last"] + 1))
