"""Entry script: `python hip3.py <command>`. All of it is in hip3.cli."""

import sys

from hip3.cli import main

if __name__ == "__main__":
    sys.exit(main())
