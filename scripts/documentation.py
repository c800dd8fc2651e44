"""Makes every output and figure that README and docs show anew, or says which of them have changed.

python scripts/documentation.py                        # all pages, in place: an hour on two cores
python scripts/documentation.py README.md docs/commands/prune.md
python scripts/documentation.py --check                # changes nothing; exit code 1 where something differs
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from documenting.difference import difference
from documenting.page import Page, Unclear, pages
from documenting.session import printed

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", nargs="*", type=Path, help="pages; default: README and all of docs/")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    given = parser.parse_args()
    found = [path.resolve() for path in given.page] or pages(ROOT)
    problems = [problem for path in found for problem in renew(path, given.check)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def renew(path: Path, check: bool) -> list[str]:
    """Run one page; write what has changed, or return what differs."""
    name = path.relative_to(ROOT)
    print(name, file=sys.stderr)
    try:
        page = Page.read(path)
        with tempfile.TemporaryDirectory(prefix="escapedim-page-") as folder:
            outputs = printed(page, ROOT, Path(folder)) if page.shown or page.figures or check else {}
            blocks = [shown.cut(outputs[shown.command]) for shown in page.shown]
            missing = [figure.drawn for figure in page.figures if not (Path(folder) / figure.drawn).exists()]
            if missing:
                raise Unclear(f"the page draws no {', no '.join(missing)}")
            if check:
                return [f"{name}: {text}" for text in _differences(page, blocks, Path(folder))]
            for figure in page.figures:
                figure.shown.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(Path(folder) / figure.drawn, figure.shown)
    except Unclear as error:
        return [f"{name}: {error}"]
    if page.shown:
        path.write_text(page.replaced(blocks), encoding="utf-8")
    return []


def _differences(page: Page, blocks: list[list[str]], folder: Path) -> list[str]:
    found = []
    for shown, block in zip(page.shown, blocks, strict=True):
        if told := difference(page.lines[shown.first : shown.last], block):
            found.append(f"line {shown.first + 1}: {told}")
    return found + [told for figure in page.figures if (told := _changed(folder / figure.drawn, figure.shown))]


def _changed(drawn: Path, shown: Path) -> str:
    from matplotlib.testing.compare import compare_images

    if not shown.exists():
        return f"{shown.name} is not there"
    expected = drawn.with_name(
        f"expected-{shown.name}"
    )  # a copy, because the picture of the difference lands beside it
    shutil.copyfile(shown, expected)
    # Root mean square of the grey values, 0 to 255: a curve may move, a panel may not.
    told = compare_images(str(expected), str(drawn), tol=20)
    return f"{shown.name}: {' '.join(str(told).split())}" if told else ""


if __name__ == "__main__":
    sys.exit(main())
