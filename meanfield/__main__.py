"""``python -m meanfield`` is the command ``meanfield``."""

from meanfield.cli import main

main()
