"""One page of the documentation: what of it is run, and which blocks and figures come out of that.

A page is a session. The lines of its `bash` blocks that begin with `escapedim` or `python -c`, and its `python` blocks,
run in order, in one folder; lines that install are left out, and any other line is refused. A comment on the line
before a block or an image says where it comes from:

    <!-- output: COMMAND LINE | BEGINNING OF THE FIRST LINE | BEGINNING OF THE FIRST LINE LEFT OUT -->
    <!-- figure: FILE THAT THE SESSION HAS DRAWN -->
    <!-- not run: WHY -->

Every `text` block is the output of a command.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_MARK = re.compile(r"<!-- (output|figure|not run): (.+?) -->")
_FENCE = re.compile(r"```(\w*)")
_RUN = ("escapedim ", "python -c ")
_INSTALLS = ("python3 -m venv ", "source ", "pip install ", ".venv/bin/pip install ", ".venv/bin/pytest ")
_IMAGE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")


class Unclear(Exception):
    """A page says something that cannot be done; the text names its line."""


@dataclass(frozen=True)
class Step:
    """What is run: a command line of the shell, or a piece of Python."""

    language: str
    text: str


@dataclass(frozen=True)
class Shown:
    """Part of what a command prints, and the lines `first` to `last` of the page that show it."""

    command: str
    start: str
    end: str
    first: int
    last: int

    def cut(self, printed: str) -> list[str]:
        """Return the part of an output that is shown, without empty lines around it."""
        lines = printed.splitlines()
        first = next((at for at, line in enumerate(lines) if line.startswith(self.start)), None)
        if first is None:
            raise Unclear(f"line {self.first}: no line of '{self.command}' begins with '{self.start}'")
        rest = lines[first:]
        if self.end:
            last = next((at for at, line in enumerate(rest[1:], 1) if line.startswith(self.end)), None)
            if last is None:
                raise Unclear(f"line {self.first}: no later line of '{self.command}' begins with '{self.end}'")
            if _in_a_paragraph(rest[last - 1], rest[last]):
                raise Unclear(f"line {self.first}: '{self.end}' begins a line in the middle of a paragraph")
            rest = rest[:last]
        if any(line.startswith("```") for line in rest):
            raise Unclear(f"line {self.first}: a line of the output would end the block")
        return "\n".join(line.rstrip() for line in rest).strip("\n").splitlines()


def _in_a_paragraph(before: str, line: str) -> bool:
    """Say whether a line goes on with the sentence of the line before it: neither is a row of a table."""
    return before[-1:] not in ("", ".", ":") and "  " not in before.strip() + line and line[:1].isalpha()


@dataclass(frozen=True)
class Figure:
    """A picture: the file that the session draws, and the file that the page shows."""

    drawn: str
    shown: Path


@dataclass(frozen=True)
class Page:
    """A page, taken apart."""

    path: Path
    lines: list[str]
    steps: list[Step]
    shown: list[Shown]
    figures: list[Figure]

    @classmethod
    def read(cls, path: Path) -> Page:
        """Take a page apart.

        Raises
        ------
        Unclear
            A mark stands before nothing that it could be of, or shows a command that the page does not run.
        """
        page = cls(path, path.read_text(encoding="utf-8").splitlines(), [], [], [])
        number = 0
        while number < len(page.lines):
            number = page._take(number)
        run = {step.text for step in page.steps}
        for shown in page.shown:
            if shown.command not in run:
                raise Unclear(f"{path}, line {shown.first}: the page does not run '{shown.command}'")
        return page

    def replaced(self, blocks: list[list[str]]) -> str:
        """Return the page's text with the shown blocks replaced, one for each of `shown`."""
        lines = list(self.lines)
        for shown, block in reversed(list(zip(self.shown, blocks, strict=True))):
            lines[shown.first : shown.last] = block
        return "\n".join(lines) + "\n"

    def _take(self, number: int) -> int:
        mark = _MARK.fullmatch(self.lines[number].strip())
        at = number + (mark is not None)
        line = self.lines[at] if at < len(self.lines) else ""
        image, fence = _IMAGE.match(line), _FENCE.fullmatch(line)
        kind, told = (mark[1], mark[2]) if mark else ("", "")
        if kind == "figure":
            if not image:
                raise Unclear(f"{self.path}, line {number + 1}: no image after the mark")
            self.figures.append(Figure(told, self.path.parent / image[1]))
        elif kind and not fence:
            raise Unclear(f"{self.path}, line {number + 1}: no block after the mark")
        if not fence:
            if line.lstrip().startswith("```"):
                raise Unclear(f"{self.path}, line {at + 1}: no block begins like this; expected ``` and a language")
            return at + 1
        end = next((n for n in range(at + 1, len(self.lines)) if self.lines[n] == "```"), None)
        if end is None:
            raise Unclear(f"{self.path}, line {at + 1}: the block does not end")
        if kind == "output":
            command, *parts = (part.strip() for part in told.split(" | "))
            if not 1 <= len(parts) <= 2:
                raise Unclear(f"{self.path}, line {number + 1}: expected a command and one or two beginnings of lines")
            self.shown.append(Shown(command, parts[0], parts[1] if len(parts) > 1 else "", at + 1, end))
        elif fence[1] == "text":
            raise Unclear(f"{self.path}, line {at + 1}: no mark says which command prints this")
        elif kind != "not run":
            self._step(fence[1], at + 1, self.lines[at + 1 : end])
        return end + 1

    def _step(self, language: str, first: int, lines: list[str]) -> None:
        if language == "python":
            self.steps.append(Step("python", "\n".join(lines)))
        for number, line in enumerate(lines if language == "bash" else [], first + 1):
            for command in re.sub(r"\s+# .*", "", line).strip().split(" && "):
                if command.startswith(_RUN):
                    self.steps.append(Step("bash", command))
                elif not command.startswith(_INSTALLS):
                    raise Unclear(f"{self.path}, line {number}: this is not run; a mark has to say why")


def pages(root: Path) -> list[Path]:
    """Return README and all pages under `docs/`."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
