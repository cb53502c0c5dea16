"""The library: every built-in task by id, and where it stands, so that listing ids imports nothing."""

from __future__ import annotations

LIBRARY: dict[str, str] = {
    "PerceptualDecisionMaking-v0": "neurojax.tasks.perceptual:PerceptualDecisionMaking",
    "DelayMatchSample-v0": "neurojax.tasks.matching:DelayMatchSample",
    "Reaching1D-v0": "neurojax.tasks.reaching:Reaching1D",
    "ReachingDelayResponse-v0": "neurojax.tasks.reaching:ReachingDelayResponse",
    "HierarchicalReasoning-v0": "neurojax.tasks.reasoning:HierarchicalReasoning",
    "ReadySetGo-v0": "neurojax.tasks.timing:ReadySetGo",
}
