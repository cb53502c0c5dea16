"""Why a task is slow, for the tables: what it does that the plain task does not."""

from __future__ import annotations

_SHORT = "a trial lasts one to three steps, so that drawing it and what it remembers is spread over few numbers"
# By the beginning of the id; the longest that fits counts.
REASONS: dict[str, str] = {
    "Bandit-v0": _SHORT,
    "BernoulliBandit-v0": f"{_SHORT}; the arms of each block are drawn",
    "ContextSwitch-v0": _SHORT,
    "IBL-v0": _SHORT,
    "IBL_Block-v0": _SHORT,
    "MatchingPenny-v0": _SHORT,
    "ProbabilisticReversal-v0": _SHORT,
    "RestlessBandit-v0": f"{_SHORT}; every arm takes a normal step of its random walk in each trial",
    "CVLearning-v0": "a trial follows from a stage and the performance of each of its days, all remembered",
    "DawTwoStage-v0": "four reward probabilities walk at random, and are reflected, in each trial of a few steps",
    "IBLBasicChoiceWorld-v0": "a truncated exponential (quiescence) in each trial, and repeats after errors",
    "MemoryRecall-v0": "all items of a list are drawn, and put in order, where a trial begins in any lane",
    "PoissonClicks-v0": "the clicks of all steps are drawn where a trial begins in any lane, to know their sum",
    "PostDecisionWager-v0": "two truncated exponentials (logarithms) in each trial",
    "RandomDotMotion-v0": "each frame places its dots and is a product of two matrices",
    "SineGenerator-v0": "a sine in each step for one number that is observed",
    "driscoll24.": "the rules of yang19, which observe 33 numbers, for five",
    "modcog.": "two stimuli on a ring, judged at each step of a sequence or an integration",
    "priors.priors-v0": "the alternatives of a block and the serial dependence of trials are drawn with each trial",
}


def reason(task: str) -> str:
    """Why the task costs more than the plain one, or an empty string."""
    fits = [name for name in REASONS if task.startswith(name)]
    return REASONS[max(fits, key=len)] if fits else ""
