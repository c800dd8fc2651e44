"""`python -m escapedim`, and the console script.

Signals are taken over before the imports, which take a tenth of a second for `--help` and more for the rest.
"""

import sys

# The current folder, whose modules are not to be taken for others (`escapedim.children`).
_HERE = sys.path.pop(0) if __name__ == "__main__" and not sys.flags.safe_path else None

from escapedim import children  # noqa: E402
from escapedim.cli import signals  # noqa: E402


def main() -> None:
    """Run the command line."""
    signals.take_over()
    children.prepare_path(_HERE)
    from escapedim.cli.main import main as command_line

    command_line()


if __name__ == "__main__":
    main()
