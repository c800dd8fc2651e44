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
from documenting.pictures import unlike
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
                raise Unclear(f"the page does not draw {', '.join(missing)}")
            if check:
                return [f"{name}: {text}" for text in _differences(page, blocks, Path(folder))]
            for figure in page.figures:
                figure.shown.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(Path(folder) / figure.drawn, figure.shown)
    except Unclear as error:
        return [f"{name}: {error}"]
    if not page.shown:
        return []
    if path.read_text(encoding="utf-8").splitlines() != page.lines:
        return [f"{name}: somebody has changed it meanwhile; nothing was written"]
    new = path.with_name(f"{path.name}.new")
    new.write_text(page.replaced(blocks), encoding="utf-8")
    new.replace(path)
    return []


def _differences(page: Page, blocks: list[list[str]], folder: Path) -> list[str]:
    found = []
    for shown, block in zip(page.shown, blocks, strict=True):
        if told := difference(page.lines[shown.first : shown.last], block):
            found.append(f"line {shown.first + 1}: {told}")
    for figure in page.figures:
        told = unlike(figure.shown, folder / figure.drawn) if figure.shown.exists() else "it is not there"
        if told:
            found.append(f"{figure.shown.name}: {told}")
    return found


if __name__ == "__main__":
    sys.exit(main())
