"""A protocol's rules in words."""

from __future__ import annotations

from neurojax.protocols.protocol import (
    COUNTS,
    DROPPED,
    FITS,
    TRAINED,
    VALUE,
    Adaptation,
    Change,
    Criterion,
    Protocol,
    Stage,
    Transition,
)

_SIGNS = {"at_least": "≥", "above": ">", "at_most": "≤", "below": "<"}
_NAMES = {"response_time": "mean response time (ms)", "median_time": "median response time (ms)"}
_SIDES = {"left": ", where the left is correct", "right": ", where the right is correct", "both": ", on both sides"}
_SINCE = {"stage": " in the stage", "session": " in the session", "all": ""}
_CHOSEN = {
    "responses": "sides against the last {window} responses",
    "errors": "sides against the errors of the last {window} trials",
    "kernel": "sides against the one that fares better (strength {strength:g}, memory {memory:g} trials)",
    "runs": "a side stays until it was found {most} times",
}


def describe_criterion(criterion: Criterion) -> str:
    """A criterion in words.

    Example:
        >>> from neurojax.protocols import Criterion
        >>> from neurojax.protocols.words import describe_criterion
        >>> describe_criterion(Criterion(measure="correct", of="all", last=50, side="both", strength=100, above=40))
        'correct > 40 of the last 50 trials at strength 100, on both sides'
    """
    c = criterion
    name = c.parameter if c.measure == VALUE and c.parameter else _NAMES.get(c.measure, c.measure.replace("_", " "))
    compared = [f"{sign} {value:g}" for key, sign in _SIGNS.items() if (value := getattr(c, key)) is not None]
    if c.better_than is not None:
        compared.append(f"better than {c.better_than:g} by a binomial test at {c.alpha:g}")
    strength = f" at strength {c.strength:g}" if c.strength is not None else ""
    if c.strength_from is not None:
        strength = f" at strength {c.strength_from:g} and more"
    if c.last is not None:  # "of the last 50 trials at strength 100", but "trials at strength 0 in the last 3 sessions"
        text = f"{name} {' and '.join(compared)}{_where(c)}{strength}"
    else:
        text = f"{name}{strength} {' and '.join(compared)}{_where(c)}"
    if c.side is not None:
        text += _SIDES[c.side]
    return text + (", repeats included" if c.repeats else "")


def describe_rule(rule: Transition | Change) -> str:
    """The criteria of a transition or change in one line: all must hold.

    Example:
        >>> from neurojax.protocols import Transition
        >>> from neurojax.protocols.words import describe_rule
        >>> describe_rule(Transition(to="hard", when=[{"measure": "accuracy", "last": 100, "at_least": 0.75}]))
        'to hard: accuracy ≥ 0.75 over the last 100 trials in the stage'
    """
    when = "; ".join(describe_criterion(criterion) for criterion in rule.when) or "always"
    at = "at the end of a session, " if ends_session(rule) else ""
    return f"to {rule.to}: {at}{when}" if isinstance(rule, Transition) else f"{_moved(rule)}: {at}{when}"


def describe_adaptation(adaptation: Adaptation) -> list[str]:
    """How a number is adapted: a line of its range, then one a change."""
    a = adaptation
    text = f"{a.parameter} begins at {a.start:g}, stays between {a.low:g} and {a.high:g}"
    text += f", moves every {a.every} trials at most" if a.every > 1 else ""
    text += ", begins anew with the stage" if a.again == "start" else ""
    text += ", does not fall below where the session began" if a.overnight == "floor" else ""
    return [text, *(describe_rule(change) for change in a.changes)]


def describe_help(stage: Stage) -> list[str]:
    """What is done in a stage against a bias, and to help: a line each."""
    c, h, out = stage.correction, stage.assistance, []
    if c.side in _CHOSEN:
        out.append(_CHOSEN[c.side].format(**c.model_dump()) + (", on repeats only" if c.only_repeats else ""))
    if c.repeat:
        said = f" at strength {c.repeat_from:g} and more" if c.repeat_from > 0 else ""
        out.append(f"errors and misses{said} are repeated{'' if c.counted else ', and repeats not counted'}")
    if c.most > 0 and c.side != "runs":
        out.append(f"{c.most} equal sides in a row at most")
    if c.keep > 0:
        out.append(f"a side that was not found {c.keep} times in a row stays until it is")
    if h.retry:
        out.append("after an error the subject may go on until it finds the side")
    if h.any_side:
        out.append("any choice is rewarded" + (f", not of one side {h.same} times in a row" if h.same else ""))
    if h.free_after > 0:
        out.append(f"after {h.free_after} trials without a reward the next is paid")
    return out


def describe_protocol(protocol: Protocol) -> str:
    """All stages of a protocol and what leads from one to another, as text of several lines.

    Example:
        >>> from neurojax.protocols import load_protocol
        >>> from neurojax.protocols.words import describe_protocol
        >>> print(describe_protocol(load_protocol("ibl_training")).splitlines()[0])
        IBL training: 6 stages of IBLBasicChoiceWorld-v0
    """
    count = len(protocol.stages)
    lines = [f"{protocol.name}: {count} stage{'s' if count > 1 else ''} of {protocol.task.id}"]
    for adaptation in protocol.adapt:
        first, *rest = describe_adaptation(adaptation)
        lines += [f"in all stages, {first}", *(f"  {line}" for line in rest)]
    for stage in protocol.stages:
        lines.append(f"stage {stage.name}{f': {stage.doc.strip()}' if stage.doc.strip() else ''}")
        lines += [f"   {describe_rule(rule)}" for rule in stage.next]
        for adaptation in stage.adapt:
            first, *rest = describe_adaptation(adaptation)
            lines += [f"   {first}", *(f"     {line}" for line in rest)]
        lines += [f"   {line}" for line in describe_help(stage)]
    if limits := describe_limits(protocol):
        lines.append(f"given up {limits}")
    exam = protocol.exam
    lines.append(f"exam: {exam.accuracy:g} of {exam.trials} trials, {exam.running} times running")
    return "\n".join(lines)


def describe_limits(protocol: Protocol) -> str:
    """When a subject is given up; empty: it never is by its limits."""
    given = protocol.limits.model_dump()
    parts = [f"after {given[name]:,} {name}" for name in ("sessions", "trials") if given[name] is not None]
    return " or ".join(parts)


def ends_session(rule: Transition | Change) -> bool:
    """Whether a rule is looked at where a session ends, rather than after each trial."""
    return rule.check == "session" or any(criterion.sessions is not None for criterion in rule.when)


def direction(protocol: Protocol, stage: str, to: str) -> str:
    """Where a transition leads: "trained", "dropped", "next", "forward" (over others), "back", or "again" (itself)."""
    if to in (TRAINED, DROPPED):
        return to
    names = [one.name for one in protocol.stages]
    step = names.index(to) - names.index(stage)
    return "again" if step == 0 else "back" if step < 0 else "next" if step == 1 else "forward"


def _where(c: Criterion) -> str:
    """Over what a criterion looks."""
    since = _SINCE[c.of]
    if c.measure == VALUE:
        return ""
    if c.measure == "sessions":
        return since or " in all"
    counted = c.measure in COUNTS
    # a sum that must be so great does not care whether its window is full
    grows = counted and not c.pooled and c.at_most is None and c.below is None
    fewer = "" if c.full or grows else " (or fewer)"
    if c.last == 1:
        return " in the last trial"
    if c.last is not None:
        return f" {'of' if counted else 'over'} the last {c.last} trials{fewer}{since}"
    if c.sessions is not None:
        since = "" if c.of == "session" else since
        if c.sessions == 1:
            return f" in the last session{since}"
        if c.pooled or c.measure in FITS:
            return f"{' a session' if counted else ''} in the last {c.sessions} sessions{fewer} together{since}"
        return f" in each of the last {c.sessions} sessions{fewer}{since}"
    return since or " in all"


def _moved(change: Change) -> str:
    """How a change moves a number."""
    factor = f"× {change.factor:g}" if change.factor != 1 else ""
    add = f"{'+' if change.add > 0 else '−'} {abs(change.add):g}" if change.add else ""
    return f"{factor} {add}".strip()
