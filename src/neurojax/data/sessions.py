"""Whole sessions as data: trial after trial with the memory between them, saved with the settings that made them."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.chance import Chance, key_words
from neurojax.core.draw import Draw
from neurojax.core.lanes import check_count, lane_numbers, prepare
from neurojax.core.library import LIBRARY
from neurojax.core.policy import as_policy
from neurojax.core.registry import Variant, factory, make, registered
from neurojax.core.session import advance, begin, no_result, start_memory
from neurojax.core.task import Task
from neurojax.core.trial import Result
from neurojax.data.render import Batch, frame_of, masked
from neurojax.errors import DamagedFile, InvalidArgument, NeurojaxError
from neurojax.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

_FORMAT = "neurojax session 1"
_STEPPED = ("inputs", "targets", "weights", "mask")  # arrays over trials and steps
_OF_TRIALS = ("lengths", "starts", "periods")
_PLAYED = ("actions", "rewards")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SessionData:
    """B sessions of K trials each, padded to T steps; NumPy arrays.

    Attributes:
        inputs: float32 `[B, K, T, D]`; 0 after a trial's end.
        targets: int32 `[B, K, T]`, or float32 `[B, K, T, A]`.
        weights: float32 `[B, K, T]`, the weight of each step in a loss; 0 after a trial's end.
        mask: bool `[B, K, T]`, whether the step belongs to the trial.
        lengths: int32 `[B, K]`, steps: as scheduled, or until the trial was over where a policy played.
        starts: int32 `[B, K]`, the step of the session at which each trial begins.
        periods: int32 `[B, K, P, 2]`, start and end of each period in steps of the trial, as scheduled.
        conditions: `[B, K, ...]` by name.
        actions, rewards: `[B, K, T]` (actions `[B, K, T, A]` where continuous) of the policy; None: nobody played.
        result: `Result` of `[B, K]`; None: nobody played.
        about: what made the data, in plain numbers and words: `id` and `class` of the task, its `settings`, the words
            of the `key`, `policy`, names of `periods`, `channels` and `actions`, and the `version` of neurojax.
    """

    inputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    mask: np.ndarray
    lengths: np.ndarray
    starts: np.ndarray
    periods: np.ndarray
    conditions: dict[str, np.ndarray]
    actions: np.ndarray | None
    rewards: np.ndarray | None
    result: Result | None
    about: dict[str, Any]
    _task: Task | None = None

    def __repr__(self) -> str:
        made = ", ".join(f"{name}={self.about[name]!r}" for name in ("class", "policy", "key"))
        return f"SessionData(n_sessions={self.n_sessions}, n_trials={self.n_trials}, {made})"

    @property
    def n_sessions(self) -> int:
        """B."""
        return self.lengths.shape[0]

    @property
    def n_trials(self) -> int:
        """K."""
        return self.lengths.shape[1]

    @property
    def seed(self) -> int | None:
        """The seed, if the key is that of one: `jax.random.key(seed)`; None of keys that were split or folded."""
        high, low = self.about["key"]
        return low if high == 0 else None

    @property
    def key(self) -> jax.Array:
        """The typed key that gave the data."""
        return jax.random.wrap_key_data(jnp.asarray(self.about["key"], jnp.uint32), impl="threefry2x32")

    @property
    def task(self) -> Task:
        """The task, built again from its settings where the data come from a file.

        Raises:
            InvalidArgument: if its class is not registered, or does not take these settings any more.
        """
        if self._task is None:
            object.__setattr__(self, "_task", _rebuilt(self.about, None))
        assert self._task is not None
        return self._task

    def batch(self) -> Batch:
        """All B K trials as one batch, for supervised learning."""
        flat = lambda x: x.reshape(-1, *x.shape[2:])
        parts = {name: flat(getattr(self, name)) for name in (*_STEPPED, "lengths", "periods")}
        cut = flat(self.periods[..., 1].max(axis=-1)) > self.inputs.shape[2]
        return Batch(**parts, conditions={name: flat(x) for name, x in self.conditions.items()}, overflow=cut)

    def table(self) -> DataFrame:
        """One row a trial: session, trial, onset in ms, the kind of trial where it has a name, conditions, outcome.

        Returns:
            A pandas DataFrame; see `nj.table`.
        """
        from neurojax.data.tables import table_of

        task, flat = self.task, lambda x: x.reshape(-1, *x.shape[2:])
        session, trial = np.indices(self.lengths.shape)
        extra = {"session": flat(session), "trial": flat(trial), "onset": flat(self.starts) * np.float32(task.dt)}
        conditions = {name: flat(x) for name, x in self.conditions.items()}
        kinds = kinds_of(task, conditions)
        if kinds is not None:
            extra["kind"] = np.asarray(kinds)
        result = None if self.result is None else jax.tree.map(flat, self.result)
        scheduled = flat(self.periods[..., 1].max(axis=-1))
        return table_of(task, conditions, result, lengths=scheduled, periods=flat(self.periods), extra=extra)

    def plot(self, *, session: int = 0, first: int = 0, trials: int = 8, title: str = "") -> Figure:
        """The order of a session's trials with their outcomes, and some trials along time (see `plot_session`)."""
        from neurojax.viz.sessions import plot_session

        return plot_session(self, session=session, first=first, trials=trials, title=title)

    def save(self, path: str | Path) -> Path:
        """Write everything to one `.npz` file, whole or not at all.

        Raises:
            InvalidArgument: if it cannot be written.
        """
        arrays = {name: getattr(self, name) for name in (*_STEPPED, *_OF_TRIALS)}
        arrays |= {f"conditions/{name}": x for name, x in self.conditions.items()}
        if self.result is not None:
            arrays |= {name: getattr(self, name) for name in _PLAYED}
            fields = dataclasses.fields(self.result)  # type: ignore[arg-type]
            arrays |= {f"result/{f.name}": getattr(self.result, f.name) for f in fields}
        out = io.BytesIO()
        np.savez_compressed(out, allow_pickle=False, about=np.array(json.dumps(self.about)), **arrays)
        return write_atomic(path, out.getvalue())

    @classmethod
    def load(cls, path: str | Path, *, factory: type[Task] | Callable[..., Task] | None = None) -> SessionData:
        """Read what `save` wrote.

        Args:
            path: the file.
            factory: the task's class, or a function of keywords that returns the task, where it is not registered.

        Raises:
            InvalidArgument: if there is no such file, or the factory does not take the settings.
            DamagedFile: if it cannot be used.

        Example:
            >>> import jax, tempfile, neurojax as nj
            >>> from neurojax.data.sessions import SessionData, session
            >>> data = session(nj.make("AnnubesEnv-v0", catch_prob=0.2), jax.random.key(5), 10)
            >>> again = SessionData.load(data.save(tempfile.mkdtemp() + "/session.npz"))
            >>> again.seed, again.task.settings()["catch_prob"], bool((again.inputs == data.inputs).all())
            (5, 0.2, True)
        """
        about, arrays = _read(Path(path))
        data = _assembled(about, arrays, path)
        return data if factory is None else dataclasses.replace(data, _task=_rebuilt(about, factory))


def session(
    task: Task,
    key: jax.Array,
    n_trials: int | tuple[int, int],
    *,
    n_sessions: int = 1,
    policy: Any = None,
    carry: Any = None,
) -> SessionData:
    """Whole sessions of a task as data, all at once.

    The trials are those that `nj.stream` shows, and with a policy those that `nj.rollout` steps, with the same key.

    Args:
        task: any task.
        key: typed key; not consumed.
        n_trials: K, the trials of each session; or a pair, a number between (both included) that the key decides.
        n_sessions: B.
        policy: None: each trial as it is scheduled, and as if the oracle had answered where what comes next depends
            on that. Or who plays, as for `nj.rollout`: then a trial lasts until it is answered, and outcomes are kept.
        carry: the policy's carry at the start, of one session.

    Raises:
        InvalidArgument: for anything that is not allowed.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.data.sessions import session
        >>> task = nj.make("AnnubesEnv-v0", session={"v": 1, "a": 3}, order="fixed", block_trials=4, catch_prob=0)
        >>> data = session(task, jax.random.key(0), 8, policy="oracle")
        >>> data.conditions["stimulus"].tolist(), data.result.reward.sum()
        ([[0, 1, 1, 1, 0, 1, 1, 1]], np.float32(8.0))
    """
    prepare(task, key, n_sessions)
    words = key_words(key)
    n_trials = _count_trials(n_trials, words)
    actor = as_policy("oracle" if policy is None else policy, task, carry)
    parts = _session(task, words, actor, n_sessions, n_trials, policy is not None)
    inputs, targets, weights, mask, actions, rewards, lengths, starts, periods, conditions, result = jax.tree.map(
        np.asarray, parts
    )
    played = policy is not None
    return SessionData(
        inputs=inputs,
        targets=targets,
        weights=weights,
        mask=mask,
        lengths=lengths,
        starts=starts,
        periods=periods,
        conditions=conditions,
        actions=actions if played else None,
        rewards=rewards if played else None,
        result=result if played else None,
        about=about_task(task, words, policy),
        _task=task,
    )


def kinds_of(task: Task, conditions: Mapping[str, Any]) -> list[str] | None:
    """The names of the kinds of N trials, of a task that names them by a method `trial_labels`; else None."""
    labels = getattr(getattr(task, "base", task), "trial_labels", None)
    return None if labels is None else labels(conditions)


# ---------------------------------------------------------------------- the sessions


@partial(jax.jit, static_argnums=(3, 4, 5))
def _session(task, words, actor, n_sessions, n_trials, played):
    steps = jnp.arange(task.capacity, dtype=jnp.int32)
    unanswered = no_result(task)
    pick = lambda condition, a, b: jax.tree.map(lambda x, y: jnp.where(condition, x, y), a, b)

    def lane(lane):
        chance = Chance(words, lane)

        def trial(held, _):
            memory, start, carry = held
            now = task.resolve(memory)
            session = begin(task, memory, chance, start)
            clock = now.trial(session.drawn)

            def step(held, t):
                session, carry, result, answered, over = held
                on, n = ~over, start + t
                seen, best, weight = frame_of(now, clock, session.state, t, Draw(chance, "noise", n), on)
                after, action = actor(carry, seen, t == 0, chance.at("policy", n), best)
                session, came = advance(task, session, action, chance, n)
                after = actor.told(after, came.result.choice, came.reward)
                result = pick(answered, result, came.result)
                ended = came.new_trial if played else clock.last(t)
                frame = (seen, masked(on, best), masked(on, weight), on)
                frame = (*frame, masked(on, came.result.choice), masked(on, came.reward))
                return (session, pick(over, carry, after), result, answered | came.new_trial, over | ended), frame

            never = jnp.bool_(False)
            (_, carry, result, _, _), frames = jax.lax.scan(step, (session, carry, unanswered, never, never), steps)
            length = jnp.sum(frames[3], dtype=jnp.int32)
            following = start + length
            memory = now.next_memory(memory, clock, result, Draw(chance, "next", following))
            whole = (length, start, clock.bounds(now.period_names), clock.conditions, result)
            return (jax.tree.map(jnp.asarray, memory), following, carry), (*frames, *whole)

        first = (start_memory(task, chance), jnp.int32(0), actor.start)
        return jax.lax.scan(trial, first, None, length=n_trials)[1]

    return jax.vmap(lane)(lane_numbers(n_sessions))


def _count_trials(n_trials: Any, words: Any) -> int:
    if not isinstance(n_trials, (tuple, list)):
        return check_count("n_trials", n_trials)
    if len(n_trials) != 2:
        raise InvalidArgument(f"n_trials must be a whole number or a pair of them, got {n_trials!r}")
    low, high = (check_count("n_trials", n) for n in n_trials)
    if low > high:
        raise InvalidArgument(f"n_trials must be a number or a pair (least, most), got {n_trials!r}")
    u = float(Chance(words, jnp.uint32(0)).at("n_trials").uniform())
    return min(low + int(u * (high - low + 1)), high)


# ---------------------------------------------------------------------- what made them


def about_task(task: Task, words: Any, policy: Any) -> dict[str, Any]:
    """What made data of a task, in plain numbers and words: see `SessionData.about`."""
    import neurojax

    base = getattr(task, "base", task)
    named = policy if policy is None or isinstance(policy, str) else "function" if callable(policy) else "constant"
    about = {
        "format": _FORMAT,
        "version": neurojax.__version__,
        "id": _identify(task),
        "class": f"{type(base).__module__}:{type(base).__qualname__}",
        "settings": task.settings(),
        "key": [int(w) for w in np.asarray(words)],
        "policy": named,
        "dt": float(task.dt),
        "periods": list(task.period_names),
        "channels": task.channels.labels(),
        "actions": task.actions.labels(),
    }
    try:
        return json.loads(json.dumps(about, default=_plain))
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"the settings of {task.name} cannot be kept with its data: {error}") from None


def _identify(task: Task) -> str | None:
    """The id under which a task's class is registered, itself or with keywords of its own; None where it is not."""
    kind, near = type(getattr(task, "base", task)), None
    for id in registered():
        if id in LIBRARY and LIBRARY[id].split(":")[0] != kind.__module__:
            continue  # nothing is imported for this
        found = factory(id)
        if found is kind:
            return id
        if isinstance(found, Variant) and found.build is kind:
            near = near or id
    return near


def _plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"a setting is a {type(value).__name__}, not numbers, strings and lists")


def _rebuilt(about: Mapping[str, Any], build: Any) -> Task:
    name, settings = about["class"].split(":")[-1], about["settings"]
    try:
        if build is not None:
            return (build.create if isinstance(build, type) and issubclass(build, Task) else build)(**settings)
        if about["id"] is not None:
            return make(about["id"], **settings)
    except (NeurojaxError, TypeError) as error:
        raise InvalidArgument(
            f"the task {name} of this session cannot be built again: {error}; "
            f"SessionData.load(path, factory=...) takes its class"
        ) from None
    raise InvalidArgument(
        f"this session is of the task {name} ({about['class']}), which was not registered; "
        f"use SessionData.load(path, factory={name})"
    )


# ---------------------------------------------------------------------- files


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    if not path.is_file():
        raise InvalidArgument(f"there is no file {str(path)!r}")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(str(arrays.pop("about")))
    except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedFile(f"the session {path} is damaged: {_first_line(error)}") from None
    needed = ("id", "class", "settings", "key", "dt", "periods", "channels", "actions")
    if not isinstance(about, dict) or about.get("format") != _FORMAT or any(name not in about for name in needed):
        raise DamagedFile(f"the session {path} is damaged: it does not say what it holds in the format {_FORMAT!r}")
    return about, arrays


def _assembled(about: dict[str, Any], arrays: dict[str, np.ndarray], path: Any) -> SessionData:
    """The data, if the arrays are there and fit each other."""
    missing = [name for name in (*_STEPPED, *_OF_TRIALS) if name not in arrays]
    played = any(name.startswith("result/") for name in arrays)
    results = {name.removeprefix("result/"): x for name, x in arrays.items() if name.startswith("result/")}
    if played:
        fields = [f.name for f in dataclasses.fields(Result)]
        missing += [name for name in _PLAYED if name not in arrays]
        missing += [f"result/{name}" for name in fields if name not in results]
    if missing:
        raise DamagedFile(f"the session {path} is damaged: it lacks {', '.join(missing)}")
    trials, steps = arrays["lengths"].shape, arrays["mask"].shape
    shapes = [name for name, x in arrays.items() if x.shape[:2] != trials]
    shapes += [name for name in (*_STEPPED, *(_PLAYED if played else ())) if arrays[name].shape[:3] != steps]
    if len(trials) != 2 or shapes or arrays["inputs"].shape[3:] != (len(about["channels"]),):
        raise DamagedFile(f"the session {path} is damaged: shapes do not fit ({', '.join(shapes) or 'inputs'})")
    conditions = {k.removeprefix("conditions/"): x for k, x in arrays.items() if k.startswith("conditions/")}
    return SessionData(
        inputs=arrays["inputs"],
        targets=arrays["targets"],
        weights=arrays["weights"],
        mask=arrays["mask"],
        lengths=arrays["lengths"],
        starts=arrays["starts"],
        periods=arrays["periods"],
        conditions=conditions,
        actions=arrays["actions"] if played else None,
        rewards=arrays["rewards"] if played else None,
        result=Result(**results) if played else None,  # pyright: ignore[reportArgumentType]
        about=about,
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
