"""Entry script: `python hip3.py <command>`. All of it is in hip3.cli."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 whoever types it without run.sh may have any
    sys.exit("hip3: needs Python 3.11 or newer; ./run.sh finds one")

from hip3.cli import main

if __name__ == "__main__":
    sys.exit(main())
