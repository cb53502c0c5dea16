"""A training protocol as data: stages, what leads from one to another, sessions, and when training ends.

The same in Python and in TOML: `load_protocol` reads what `save_protocol` writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import jax
from pydantic import Field, model_validator

from neurojax.core.registry import make
from neurojax.core.task import Task
from neurojax.core.timing import Law, Table
from neurojax.errors import InvalidArgument, unknown
from neurojax.sections import Count, NotNegative, Number, Positive, Section, Share, load_section, save_section

TRAINED, DROPPED = "trained", "dropped"
# What a criterion looks at: counts of trials, shares of them, and what a session's psychometric function gives.
COUNTS = ("trials", "correct", "answered", "reward", "sessions")
RATES = (
    "accuracy", "performance", "response_rate", "violation_rate", "miss_rate", "right", "response_time", "median_time",
    "efficiency",
)  # fmt: skip
FITS = ("bias", "threshold", "lapse")
VALUE = "value"  # of an adapted parameter
OUTSIDE = ("volume", "timeout")  # what is adapted beside the task: microlitres of a reward of 1, ms after an error
MEDIAN = "median_time"


class Criterion(Section):
    """One comparison of what a subject did with a number.

    What is looked at, over the trials that count (assisted repeats do not, see `Correction`):
    `trials`, `correct`, `answered` (numbers of trials), `reward` (its sum), `sessions` (how many are over);
    `accuracy` (correct among the answered), `performance` (mean over all trials, 0 where there was no answer),
    `response_rate`, `violation_rate` (aborted), `miss_rate`, `right` (right among the answered), `response_time` (mean,
    ms from the start of the period in which to answer), `median_time` (its median: below a number where more than half
    are), `efficiency` (reward of an answered trial that was not free, relative to the stage's `best_reward`); of
    sessions the psychometric function's `bias` and `threshold` (percent; the bias without its sign) and `lapse` (the
    greater of the two); `value`, what an adapted parameter stands at.

    Attributes:
        measure: what is looked at.
        of: since when: "stage" (since it was last entered), "session" or "all".
        last: only the last so many trials that match (N).
        full: whether there must be so many trials, or sessions.
        sessions: judged at the end of sessions, in each of the last so many (k).
        pooled: with `sessions`, on their trials together rather than on each; counts are then means of a session.
        side: only trials whose correct side this is; "both": it must hold on each side.
        strength: only trials with this strength of the stimulus, in the units of the task's condition.
        strength_from: only trials with this strength or more.
        repeats: whether repeated trials are looked at even where the stage does not count them (`Correction.counted`).
        parameter: which adapted parameter, for `value`.
        at_least, above, at_most, below: the comparison.
        better_than: a rate that the subject's must be above by a one-sided binomial test at level `alpha`.
        alpha: level of that test.

    Example:
        >>> from neurojax.protocols import Criterion
        >>> Criterion(measure="accuracy", last=100, at_least=0.75).at_least
        0.75
    """

    measure: Literal[
        "trials", "correct", "answered", "reward", "sessions", "accuracy", "performance", "response_rate",
        "violation_rate", "miss_rate", "right", "response_time", "median_time", "efficiency", "bias", "threshold",
        "lapse", "value",
    ]  # fmt: skip
    of: Literal["stage", "session", "all"] = "stage"
    last: Count | None = None
    full: bool = True
    sessions: Count | None = None
    pooled: bool = False
    side: Literal["left", "right", "both"] | None = None
    strength: Number | None = None
    strength_from: Number | None = None
    repeats: bool = False
    parameter: str | None = None
    at_least: Number | None = None
    above: Number | None = None
    at_most: Number | None = None
    below: Number | None = None
    better_than: Share | None = None
    alpha: Share = 0.05

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        given = [name for name in ("at_least", "above", "at_most", "below", "better_than") if self._has(name)]
        if not given:
            raise InvalidArgument(
                f"the criterion on {self.measure} compares with nothing; give at_least, above, at_most, below or "
                "better_than"
            )
        if self.better_than is not None and self.measure not in ("accuracy", "performance", "response_rate", "right"):
            raise InvalidArgument(f"better_than tests shares of trials, and {self.measure} is none")
        if (self.measure == VALUE) != (self.parameter is not None):
            raise InvalidArgument("parameter goes with measure='value', and only with it")
        if self.measure in FITS and self.sessions is None:
            raise InvalidArgument(f"{self.measure} is fitted to whole sessions; give sessions")
        if self.measure in (*FITS, VALUE, "sessions") and (self.last is not None or self.side is not None):
            raise InvalidArgument(f"{self.measure} does not take last or side")
        if self.last is not None and self.sessions is not None:
            raise InvalidArgument("a criterion looks at the last trials, or at the last sessions; give one of both")
        if self.measure == MEDIAN and given not in (["at_least"], ["below"]):
            raise InvalidArgument(f"{MEDIAN} takes one of at_least and below; for both, give two criteria")
        if self.measure == "trials" and self.last is not None:
            raise InvalidArgument("the number of the last trials is what `last` says; leave it out")
        if self.pooled and self.sessions is None:
            raise InvalidArgument("pooled goes with sessions")
        if self.strength is not None and self.strength_from is not None:
            raise InvalidArgument("give strength or strength_from, not both")
        return self

    def _has(self, name: str) -> bool:
        return getattr(self, name) is not None


class Transition(Section):
    """What leads to another stage.

    Attributes:
        to: its name, "trained" (training is over) or "dropped" (it is given up).
        when: criteria that must all hold. Several transitions to one stage: any of them.
        check: after every trial, or at the end of a session. Criteria on sessions are met at their end only.
    """

    to: str
    when: list[Criterion] = Field(min_length=1)
    check: Literal["trial", "session"] = "trial"


class Change(Section):
    """How an adapted parameter moves.

    Attributes:
        when: criteria that must all hold; none: always.
        add: what is added.
        factor: what it is multiplied by, before.
        check: after every trial, or at the end of a session.
    """

    when: list[Criterion] = Field(default_factory=list)
    add: Number = 0.0
    factor: Positive = 1.0
    check: Literal["trial", "session"] = "trial"

    @model_validator(mode="after")
    def _moves(self) -> Self:
        if self.add == 0 and self.factor == 1:
            raise InvalidArgument("a change adds something, or multiplies by another number than 1")
        return self


class Adaptation(Section):
    """A number of the task that grows and shrinks by rule within a stage.

    Attributes:
        parameter: "timing.PERIOD" (ms), "scale.PERIOD" (a factor of the durations that the task gives a period),
            "rewards.NAME", a number among the task's parameters, "volume" (of a reward of 1, in microlitres) or
            "timeout" (ms after an error; see `Sessions`).
        start: where it begins.
        low, high: between which it stays.
        changes: the first whose criteria hold is made.
        every: trials from one change to the next, at least.
        again: where it begins when its stage is entered again: "keep" (where it stood) or "start".
        overnight: "keep", or "floor": it does not fall below where a session began.
    """

    parameter: str
    start: Number
    low: Number
    high: Number
    changes: list[Change] = Field(min_length=1)
    every: Count = 1
    again: Literal["keep", "start"] = "keep"
    overnight: Literal["keep", "floor"] = "keep"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.start <= self.high:
            raise InvalidArgument(
                f"{self.parameter}: low, start, high must rise, got {self.low:g}, {self.start:g}, {self.high:g}"
            )
        return self


class Correction(Section):
    """What is done against a bias for one side, and what is shown again.

    Attributes:
        side: where the correct side of a trial comes from: "task" (as the task draws it), "responses" (right if a
            normal number around the share of left responses in the last `window` is .5 or more), "errors" (left
            with half the sum of two shares, in the last `window` trials: of the correct ones, those whose side was
            right, and of the errors those whose side was left; each as likely where there are none of either),
            "kernel" (the side that fares worse: weights exp(-strength x accuracy), the accuracy of each side being an
            exponential mean over its trials), or "runs" (one side until it was found `most` times, then the other).
        only_repeats: whether `side` is for repeated trials alone.
        window: responses that are looked back on.
        spread: standard deviation of that normal number.
        strength: of the kernel's correction; 0: none.
        memory: of the kernel: the time constant of its mean, in trials of a side.
        repeat: whether an error or a miss is followed by the same trial, until it is correct.
        repeat_from: only from this strength of the stimulus on.
        most: equal sides in a row at most; 0: no limit.
        keep: a side that was not found in its last so many trials stays until it is; 0: no such rule.
        counted: whether repeated trials count for criteria.
    """

    side: Literal["task", "responses", "errors", "kernel", "runs"] = "task"
    only_repeats: bool = False
    window: Count = 10
    spread: NotNegative = 0.5
    strength: NotNegative = 3.0
    memory: Positive = 30.0
    repeat: bool = False
    repeat_from: Number = 0.0
    most: int = Field(default=0, ge=0)
    keep: int = Field(default=0, ge=0)
    counted: bool = True

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.side == "runs" and self.most == 0:
            raise InvalidArgument("correction.side='runs' needs most: how often a side is found before the other comes")
        return self

    @property
    def chooses(self) -> bool:
        """Whether it has a say in a trial's side."""
        return self.side != "task" or self.repeat or self.most > 0 or self.keep > 0


class Assistance(Section):
    """How a subject is helped.

    Attributes:
        retry: after an error the subject may go on until it finds the side (guaranteed reward); the first answer
            counts.
        free_after: after so many trials in a row that brought no reward the next is paid whatever is done; 0: never.
        free_share: how much of a reward is then paid.
        any_side: whether any choice is rewarded, and counts as correct.
        same: with `any_side`, choices of one side in a row after which only the other is correct; 0: no limit.
    """

    retry: bool = False
    free_after: int = Field(default=0, ge=0)
    free_share: Share = 1.0
    any_side: bool = False
    same: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.same and not self.any_side:
            raise InvalidArgument("assistance.same goes with any_side")
        return self


class StageTask(Section):
    """The task of a stage, where it is not the protocol's.

    Attributes:
        id: as for `nj.make`; default: the protocol's.
        keywords: as for `nj.make`, in place of the protocol's of the same name.
    """

    id: str | None = None
    keywords: dict[str, Any] = Field(default_factory=dict)


class Stage(Section):
    """A stage of training.

    Attributes:
        name: a word.
        doc: what it is for.
        task: what differs from the protocol's task.
        next: transitions, in order of priority.
        adapt: numbers that grow and shrink.
        correction: against a bias.
        assistance: help.
        best_reward: mean reward of an answered trial under the best play, for `efficiency`.
    """

    WHERE: ClassVar[str | None] = "stage"

    name: str
    doc: str = ""
    task: StageTask = Field(default_factory=StageTask)
    next: list[Transition] = Field(default_factory=list)
    adapt: list[Adaptation] = Field(default_factory=list)
    correction: Correction = Field(default_factory=Correction)
    assistance: Assistance = Field(default_factory=Assistance)
    best_reward: Positive = 1.0


class Reading(Section):
    """Where in the task's conditions and actions the sides are.

    Attributes:
        side: the condition that tells the correct side.
        left, right: its values.
        choice_left, choice_right: the actions.
        strength: the condition that tells the strength of the stimulus; empty: it is 1 in all trials.
        full: the strength that a model subject takes for 1.
        answer: the period in which to answer.
        aborted: whether an aborted trial is a trial that failed ("failed"), or is begun again, with the same side and
            strength, and none ("none").
    """

    side: str = "ground_truth"
    left: int = 0
    right: int = 1
    choice_left: int = 1
    choice_right: int = 2
    strength: str = ""
    full: Positive = 100.0
    answer: str = "decision"
    aborted: Literal["failed", "none"] = "failed"


class Sessions(Section):
    """When a session ends, and how long trials last beside what the task shows.

    Attributes:
        trials: at most so many.
        minutes: at most so long.
        early_minutes, early_trials: it also ends after `early_minutes` where there were no more than `early_trials`.
        slow_after, slow_last, slow_factor: it ends where, after `slow_after` trials, the median response time of the
            last `slow_last` is over `slow_factor` times that of the session; 0: off.
        missed_last, missed_share: it ends where more than this share of the last so many trials was missed; 0: off.
        after_correct, after_error: ms from a trial's end to the next.
        volume: microlitres of a reward of 1.
        satiety: microlitres after which a subject no longer takes part, on average (motivation); 0: off.
    """

    trials: Count | None = None
    minutes: Positive | None = None
    early_minutes: NotNegative = 0.0
    early_trials: int = Field(default=0, ge=0)
    slow_after: int = Field(default=0, ge=0)
    slow_last: int = Field(default=20, ge=1, le=64)
    slow_factor: Positive = 5.0
    missed_last: int = Field(default=0, ge=0, le=64)
    missed_share: Share = 1.0
    after_correct: NotNegative = 1000.0
    after_error: NotNegative = 1000.0
    volume: Positive = 3.0
    satiety: NotNegative = 0.0

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.trials is None and self.minutes is None:
            raise InvalidArgument("sessions must end: give trials or minutes")
        return self


class Limits(Section):
    """Where a subject is given up ("dropped").

    Attributes:
        sessions, trials: after so many.
    """

    sessions: Count | None = None
    trials: Count | None = None


class Exam(Section):
    """The endpoint that no protocol owns: the target task, played with frozen weights after each session.

    Attributes:
        task: the target task; default: that of the last stage.
        trials: how many.
        accuracy: performance that passes.
        running: how many exams in a row must be passed.
    """

    task: StageTask | None = None
    trials: Count = 1000
    accuracy: Share = 0.75
    running: Count = 2


class Protocol(Section):
    """A training protocol.

    Attributes:
        name: a title.
        doc: what it is, in words; what had to be chosen because it is not published.
        source: where its numbers come from.
        task: the task, and keywords that all stages share.
        stages: in order; the first is where training begins.
        adapt: numbers that grow and shrink in all stages.
        reading: where the sides are in conditions and actions.
        sessions: when they end.
        limits: where a subject is given up.
        exam: the endpoint for comparing protocols.

    Raises:
        UnknownName: for settings, stages, tasks and keywords that do not exist; the nearest is suggested.
        InvalidArgument: for values that are not allowed.

    Example:
        >>> from neurojax.protocols import Protocol
        >>> protocol = Protocol(
        ...     name="two steps",
        ...     task={"id": "PerceptualDecisionMaking-v0"},
        ...     reading={"strength": "coherence"},
        ...     stages=[
        ...         {"name": "easy", "task": {"keywords": {"coherences": [51.2]}},
        ...          "next": [{"to": "all", "when": [{"measure": "accuracy", "last": 50, "at_least": 0.8}]}]},
        ...         {"name": "all",
        ...          "next": [{"to": "trained", "when": [{"measure": "accuracy", "last": 200, "at_least": 0.7}]}]},
        ...     ],
        ...     sessions={"trials": 200},
        ... )
        >>> [stage.name for stage in protocol.stages]
        ['easy', 'all']
    """

    WHERE: ClassVar[str | None] = ""

    name: str
    doc: str = ""
    source: str = ""
    task: StageTask
    stages: list[Stage] = Field(min_length=1)
    adapt: list[Adaptation] = Field(default_factory=list)
    reading: Reading = Field(default_factory=Reading)
    sessions: Sessions
    limits: Limits = Field(default_factory=Limits)
    exam: Exam = Field(default_factory=Exam)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        names = [stage.name for stage in self.stages]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InvalidArgument(f"two stages are called {twice!r}")
        if reserved := {TRAINED, DROPPED} & set(names):
            raise InvalidArgument(f"a stage cannot be called {min(reserved)!r}: that is how training ends")
        if self.task.id is None:
            raise InvalidArgument("task.id: the protocol names no task")
        for stage in self.stages:
            for transition in stage.next:
                if transition.to not in (*names, TRAINED, DROPPED):
                    raise unknown("stage", transition.to, (*names, TRAINED, DROPPED), stage.name)
            adapted = [a.parameter for a in (*self.adapt, *stage.adapt)]
            if twice := next((name for name in adapted if adapted.count(name) > 1), None):
                raise InvalidArgument(f"stage {stage.name!r}: {twice!r} is adapted twice")
            for criterion in (*_criteria(stage.next), *_criteria([c for a in stage.adapt for c in a.changes])):
                if criterion.parameter is not None and criterion.parameter not in adapted:
                    raise unknown("adapted parameter", criterion.parameter, adapted, stage.name)
        if self.reading.aborted == "none" and self.sessions.minutes is None:
            raise InvalidArgument("where aborted trials are none, sessions need minutes, or they might never end")
        return self

    def make_task(self, stage: Stage) -> Task:
        """The task of a stage, where its adapted parameters begin.

        Raises:
            UnknownName, InvalidArgument: as `nj.make`.
        """
        task = self.make_like(stage.task)
        return with_values(task, {a.parameter: a.start for a in self.adapted(stage)})

    def adapted(self, stage: Stage) -> list[Adaptation]:
        """What is adapted in a stage: in all stages, and in this one."""
        return [*self.adapt, *stage.adapt]

    def walk(self, **options: Any) -> Any:
        """The way through the protocol as a task; options as for `walk_task`."""
        from neurojax.protocols.plan import walk_task

        return walk_task(self, **options)

    def make_like(self, own: StageTask) -> Task:
        """The task that differs from the protocol's in this."""
        keywords = merged_keywords(self.task.keywords, own.keywords)
        return make(own.id or self.task.id or "", **keywords)

    def stage(self, name: str) -> Stage:
        """The stage of that name.

        Raises:
            UnknownName: if there is none.
        """
        found = next((stage for stage in self.stages if stage.name == name), None)
        if found is None:
            raise unknown("stage", name, [stage.name for stage in self.stages], self.name)
        return found

    def replace(self, changes: dict[str, Any]) -> Protocol:
        """The protocol with other numbers, by path such as "stages.easy.next.0.when.0.at_least"; checked as ever.

        What stands in a list has its number, from 0, or its name.

        Raises:
            UnknownName: if a path leads nowhere.
            InvalidArgument: for values that are not allowed.
        """
        settings = self.model_dump()
        for path, value in changes.items():
            *parts, last = path.split(".")
            here: Any = settings
            for part in parts:
                here = here[_key(here, part, path)]
            here[_key(here, last, path)] = value
        return Protocol(**settings)

    def at(self, path: str) -> Any:
        """What stands at a path, as `replace` takes it."""
        here: Any = self.model_dump()
        for part in path.split("."):
            here = here[_key(here, part, path)]
        return here


def load_protocol(source: str | Path) -> Protocol:
    """A protocol from a TOML file, or one of the built-in ones by name (`preset_names`).

    Raises:
        InvalidArgument, UnknownName, DamagedFile: as for any settings; the file is named.
    """
    from neurojax.protocols.presets import preset_names, preset_path

    if isinstance(source, str) and not source.endswith(".toml"):
        if source not in preset_names():
            raise unknown("protocol", source, preset_names(), "the built-in protocols (a file's name ends in .toml)")
        source = preset_path(source)
    return load_section(Protocol, source, "protocol")


def save_protocol(protocol: Protocol, path: str | Path) -> Path:
    """Write a protocol as TOML, without what is as by default; `load_protocol` gives it back.

    Raises:
        InvalidArgument: if the file cannot be written, or a task's keyword is not a number, text, list or table.
    """
    return save_section(protocol, path, "keywords of tasks", exclude_defaults=True)


def merged_keywords(first: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    """Keywords of a task, with others in place of those of the same name; timing and rewards by their own names."""
    out = {**first, **then}
    for name in ("timing", "rewards"):
        if isinstance(first.get(name), dict) and isinstance(then.get(name), dict):
            out[name] = {**first[name], **then[name]}
    return out


def with_values(task: Task, values: dict[str, Any]) -> Task:
    """A task with adapted parameters at these values; under tracing they may be traced.

    Raises:
        UnknownName: for a parameter that the task does not have.
    """
    keywords: dict[str, Any] = {}
    for path, value in values.items():
        if path in OUTSIDE:
            continue
        group, _, name = path.rpartition(".")
        if group == "scale":
            if name not in task.timing:
                raise unknown("period", name, task.timing, task.name)
            keywords.setdefault("timing", {})[name] = _scaled(task.timing[name], value)
        elif group:
            keywords.setdefault(group, {})[name] = value
        else:
            keywords[name] = value
    return task.set(**keywords) if keywords else task


def _scaled(law: Law, factor: Any) -> Law:
    """A law of durations, all of them multiplied."""
    if isinstance(law, Table):  # whose other numbers are probabilities
        return law.replace(values=law.values * factor)
    return jax.tree.map(lambda x: x * factor, law)


def _criteria(rules: Sequence[Transition | Change]) -> list[Criterion]:
    return [criterion for rule in rules for criterion in rule.when]


def _key(here: Any, part: str, path: str) -> Any:
    """The key or index that a part of a path stands for."""
    if isinstance(here, list):
        names = [item.get("name") for item in here if isinstance(item, dict)]
        if part.isdigit() and int(part) < len(here):  # before names: a stage may be called "0"
            return int(part)
        if part in names:
            return names.index(part)
        known = [name for name in names if name] or [str(i) for i in range(len(here))]
        raise unknown("part", part, known, f"the path {path!r}")
    if not isinstance(here, dict) or part not in here:
        raise unknown("part", part, here if isinstance(here, dict) else (), f"the path {path!r}")
    return part
