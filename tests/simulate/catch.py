"""`python catch.py SEEDS [FIRST]`, with a patched hip3 on the path: a seed that fails, and why. Prints one line.

FIRST is tried first: the seed that failed when this was last looked at. Then all in turn.
"""

import sys

from hip3.simulate.run import run_seed

for seed in (*map(int, sys.argv[2:3]), *range(int(sys.argv[1]))):
    result = run_seed(seed)
    if result.violation:
        print(f"{seed} {result.violation[:150]}")
        break
else:
    print("-1")
