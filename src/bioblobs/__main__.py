"""``python -m bioblobs``: the command ``bioblobs``."""

from bioblobs.cli import main

if __name__ == "__main__":
    main()
