"""`python -m hip3 <command>`, and what the installed command `hip3` runs. All of it is in hip3.cli."""

import sys

from hip3.cli import script

if __name__ == "__main__":
    sys.exit(script())
