"""Does shaping pay? A delayed response taught by the automated home cage's stages, and by the last of them alone.

python examples/shaping.py [LEARNER [SUBJECTS [FOLDER]]]     # writes report.html there; goes on where it was stopped

Logistic subjects take a minute, most of it compilation; "recurrent" ones are networks that learn online, 6,000 trials a
second on two cores (`XLA_FLAGS=--xla_force_host_platform_device_count=2`).
"""

from __future__ import annotations

import sys
from pathlib import Path

from neurojax.protocols import StudySettings, compare, load_protocol, run_study, summarise
from neurojax.subjects.population import Population

shaped = load_protocol("autocage").replace({"exam.trials": 200})
alone = shaped.model_copy(update={"name": "last stage alone", "stages": shaped.stages[-1:]})

if __name__ == "__main__":
    learner, subjects, folder = (*sys.argv[1:], *("logistic", "16", "")[len(sys.argv) - 1 :])
    settings = StudySettings(subjects=int(subjects), sessions=30, exams=3)
    told = lambda now: print(f"\r{now.protocol}, session {now.session}: {now.active} in training ", end="", flush=True)
    result = run_study([shaped, alone], Population(learner=learner), settings, folder=folder or None, progress=told)
    print()
    print(summarise(result, unit="sessions")[["protocol", "n", "reached", "share", "mean", "horizon"]].to_string())
    print(compare(result, shaped.name, alone.name, unit="sessions").describe())
    if folder:
        from neurojax.protocols.report import write_study_report

        write_study_report(result, Path(folder) / "report.html")
