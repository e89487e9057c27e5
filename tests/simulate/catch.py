"""`python catch.py SEEDS`, with a patched hip3 on the path: the first seed that fails, and why. Prints one line."""

import sys

from hip3.simulate.run import run_seed

for seed in range(int(sys.argv[1])):
    result = run_seed(seed)
    if result.violation:
        print(f"{seed} {result.violation[:150]}")
        break
else:
    print("-1")
