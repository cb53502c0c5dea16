"""One process that measures: `python -m benchmarks.worker SECTION ...`, rows as JSON lines on standard output.

The number of devices is settled before JAX starts, so each number has a process of its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys

import jax

from benchmarks.measures import SECTIONS
from benchmarks.timing import FULL, QUICK


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("sections", nargs="+", choices=SECTIONS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="how long to repeat what is compared")
    options = parser.parse_args()
    effort = QUICK if options.quick else FULL
    if options.seconds is not None:
        effort = dataclasses.replace(effort, seconds=options.seconds)
    if options.devices > jax.device_count():
        parser.error(f"--devices: {options.devices}, but JAX has {jax.device_count()}")
    for section in options.sections:
        for row in SECTIONS[section](effort, options.devices):
            print(row.model_dump_json(), flush=True)
            print(f"  {row.section}: {row.name}, {row.batch} lanes, {row.devices} devices", file=sys.stderr)


if __name__ == "__main__":
    main()
