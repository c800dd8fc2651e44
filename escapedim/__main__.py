"""`python -m escapedim`."""

from escapedim.cli.main import main

if __name__ == "__main__":
    main()
