"""A subject that learns online, written with NeuroGym and PyTorch, timed: run by a Python that has both.

    python benchmarks/neurogym_online_side.py SECONDS

A GRU of 32 units plays NeuroGym's PerceptualDecisionMaking and makes one actor-critic update a trial, back-propagated
through the last 64 steps: what a recurrent subject of a study does. Prints one line of JSON: trials a second.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version


def main(limit: float, hidden: int = 32, window: int = 64) -> None:
    import neurogym as ngym
    import numpy as np
    import torch

    torch.set_num_threads(1)  # one subject is too small to share
    torch.manual_seed(0)
    timing = {"fixation": 100, "stimulus": 500, "delay": 0, "decision": 500}
    env = ngym.make("PerceptualDecisionMaking-v0", dt=100, timing=timing)
    inputs, actions = env.observation_space.shape[0] + env.action_space.n + 1, env.action_space.n
    cell = torch.nn.GRUCell(inputs, hidden)
    readout = torch.nn.Linear(hidden, actions + 1)
    weights = [*cell.parameters(), *readout.parameters()]
    adam = torch.optim.Adam(weights, lr=1e-4)
    seen, states, done_actions, rewards = [], [], [], []
    state = torch.zeros(1, hidden)
    obs, _ = env.reset(seed=0)
    past = np.zeros(actions + 1, np.float32)
    trials, steps, trial_steps, began = 0, 0, 0, None
    while began is None or time.perf_counter() - began < limit:
        x = torch.from_numpy(np.concatenate([obs, past]).astype(np.float32))[None]
        with torch.no_grad():
            seen.append(x)
            states.append(state)
            state = cell(x, state)
            action = torch.distributions.Categorical(logits=readout(state)[0, :-1]).sample().item()
        obs, reward, _, _, info = env.step(action)
        past = np.zeros(actions + 1, np.float32)
        past[action], past[-1] = 1, reward
        done_actions.append(action)
        rewards.append(float(reward))
        steps, trial_steps = steps + 1, trial_steps + 1
        if info["new_trial"]:
            h, outputs = states[-window:][0], []
            for x in seen[-window:]:
                h = cell(x, h)
                outputs.append(readout(h)[0])
            out = torch.stack(outputs)[-trial_steps:]
            returns, total = [], 0.0
            for reward in reversed(rewards[-trial_steps:]):
                total = reward + 0.98 * total
                returns.append(total)
            returns = torch.tensor(returns[::-1][-len(out) :])
            law = torch.distributions.Categorical(logits=out[:, :-1])
            advantage = (returns - out[:, -1]).detach()
            log_p = law.log_prob(torch.tensor(done_actions[-len(out) :]))
            loss = (-log_p * advantage + 0.25 * (returns - out[:, -1]) ** 2 - 0.01 * law.entropy()).sum()
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            adam.step()
            del seen[:-window], states[:-window], done_actions[:-window], rewards[:-window]
            trials, trial_steps = trials + 1, 0
            if trials == 20:  # what is slow at first is not counted
                began, counted = time.perf_counter(), 0
            if began is not None:
                counted = trials - 20
    seconds = time.perf_counter() - began
    packages = {name: version(name) for name in ("neurogym", "torch")}
    print(json.dumps({"trials_per_second": counted / seconds, "steps_per_trial": steps / trials, "packages": packages}))


if __name__ == "__main__":
    main(float(sys.argv[1]))
