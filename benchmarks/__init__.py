"""How fast neurojax is: beside what bounds it on the same machine, and beside its peers in the same run.

`python -m benchmarks.run` measures; RESULTS.md holds the last full run.
"""
