"""`python -m escapedim`, and the console script.

Signals are taken over before the imports, which take a tenth of a second for `--help` and more for the rest.
"""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # the current folder, whose modules are not to be taken for others (`escapedim.children`)

from escapedim.cli import signals


def main() -> None:
    """Run the command line."""
    signals.take_over()
    from escapedim.cli.main import main as command_line

    command_line()


if __name__ == "__main__":
    main()
