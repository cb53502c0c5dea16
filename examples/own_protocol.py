"""A training protocol of one's own in ten lines, and the perfect learner's walk, drawn before any training.

python examples/own_protocol.py [FOLDER]     # draws walk.gif there, and writes mine.toml
"""

from __future__ import annotations

import sys
from pathlib import Path

from neurojax.protocols import Protocol, perfect_walk, save_protocol

good = lambda share: {"measure": "accuracy", "last": 50, "at_least": share}
easy, hard = ({"keywords": {"coherences": levels}} for levels in ([51.2] * 3, [6.4, 12.8, 51.2]))
protocol = Protocol(
    name="from easy to hard",
    task={"id": "PerceptualDecisionMaking-v0", "keywords": {"timing": {"stimulus": 500}}},
    reading={"strength": "coherence"},
    stages=[
        {"name": "easy", "task": easy, "next": [{"to": "hard", "when": [good(0.8)]}]},
        {"name": "hard", "task": hard, "next": [{"to": "trained", "when": [good(0.7)]}]},
    ],
    sessions={"trials": 200},
)

if __name__ == "__main__":
    walk = perfect_walk(protocol)
    print(f"the perfect learner takes {len(walk.stage)} trials, {int((walk.stage == 0).sum())} of them easy")
    if len(sys.argv) > 1:
        from neurojax.viz.stages import animate_walk, save_animation

        folder = Path(sys.argv[1])
        save_animation(animate_walk(protocol, walk.stage, walk.performance), folder / "walk.gif")
        # neurojax protocol run mine.toml trains subjects under it
        save_protocol(protocol, folder / "mine.toml")
