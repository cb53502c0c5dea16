"""NeuroGym's reinforcement-learning example, timed: run by a Python that has NeuroGym and sb3-contrib.

    python benchmarks/neurogym_rl_side.py SEED SECONDS

The task, its timing, the wrapper and the agent are those of its example notebook (RecurrentPPO, MlpLstmPolicy, default
settings, one environment). Prints one line of JSON: steps a second, and the seconds of training after which the mean
performance of the last 200 trials first was .8.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from importlib.metadata import version


def main(seed: int, limit: float) -> None:
    import neurogym as ngym
    from neurogym.wrappers import pass_reward
    from sb3_contrib import RecurrentPPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.vec_env import DummyVecEnv

    timing = {"fixation": ("constant", 300), "stimulus": ("constant", 500), "decision": ("constant", 300)}
    env = pass_reward.PassReward(ngym.make("PerceptualDecisionMaking-v0", dt=100, timing=timing))
    model = RecurrentPPO("MlpLstmPolicy", DummyVecEnv([lambda: env]), seed=seed)

    class Watch(BaseCallback):
        def __init__(self):
            super().__init__()
            self.recent, self.reached, self.curve, self.trials = deque(maxlen=200), None, [], 0

        def _on_training_start(self):
            self.began = time.perf_counter()

        def _on_step(self) -> bool:
            now = time.perf_counter() - self.began
            for info in self.locals["infos"]:
                if info.get("new_trial"):
                    self.trials += 1
                    self.recent.append(float(info.get("performance", 0.0)))
            full = len(self.recent) == self.recent.maxlen
            mean = sum(self.recent) / len(self.recent) if full else 0.0
            if full and mean >= 0.8 and self.reached is None:
                self.reached = now
            if not self.curve or now - self.curve[-1][0] >= 5:
                self.curve.append((round(now, 1), round(mean, 3)))
            return now < limit

    watch = Watch()
    began = time.perf_counter()
    model.learn(total_timesteps=10**9, callback=watch)
    seconds = time.perf_counter() - began
    record = {
        "seed": seed,
        "steps_per_second": model.num_timesteps / seconds,
        "seconds_to_80": watch.reached,
        "seconds": seconds,
        "trials": watch.trials,
        "last_performance": watch.curve[-1][1],
        "packages": {name: version(name) for name in ("neurogym", "sb3-contrib", "stable-baselines3", "torch")},
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
