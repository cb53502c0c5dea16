"""How long a fresh process takes to import neurojax, and from there to its first batch. Nothing is cached."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys

from benchmarks.record import Startup

_CODE = """
import json, sys, time
start = time.perf_counter()
import neurojax as nj
imported = time.perf_counter()
nj.make, nj.render
loaded = time.perf_counter()
import jax
batch = nj.render(nj.make("PerceptualDecisionMaking-v0"), jax.random.key(0), 16)
jax.block_until_ready(batch)
done = time.perf_counter()
unwanted = sorted({"gymnax", "matplotlib"} & set(sys.modules))
times = {"import": imported - start, "loaded": loaded - start, "batch": done - imported}
print(json.dumps({**times, "unwanted": unwanted}))
"""


def measure(processes: int) -> Startup:
    """Medians over fresh processes."""
    environment = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "JAX_COMPILATION_CACHE_DIR")}
    runs = []
    for _ in range(processes):
        out = subprocess.run([sys.executable, "-c", _CODE], env=environment, capture_output=True, text=True, check=True)
        runs.append(json.loads(out.stdout))
    return Startup(
        import_seconds=statistics.median(run["import"] for run in runs),
        loaded_seconds=statistics.median(run["loaded"] for run in runs),
        first_batch_seconds=statistics.median(run["batch"] for run in runs),
        unwanted=sorted({name for run in runs for name in run["unwanted"]}),
        processes=processes,
    )
