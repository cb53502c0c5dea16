"""Train with a public trainer that has never heard of neurojax: the PPO of rejax, unchanged, from its package.

    pip install rejax               # tried: rejax 0.1.3 with gymnax 1.0.1
    python examples/gymnax_trainer.py

A trainer written for gymnax 1.0 takes `nj.Env(task)` as it is. rejax, like most of them so far, expects the five values
that `step` returned before 1.0, and gets them from `LegacyEnv`. Its agent has no memory, so the task is one in which a
single look can tell: the subject may answer as soon as it has seen the stimulus.

Agents with memory do better on tasks that need it: in a million steps of PerceptualDecisionMaking-v0 (episodes of 10
trials), the recurrent PPO of purejaxrl (https://github.com/luchris429/purejaxrl, `ppo_rnn.py`, two lines of it changed
for flax 0.12) came from .34 correct to .88, where an ideal observer has .90.
"""

import jax

import neurojax as nj
from neurojax.envs.gymnax import LegacyEnv

TASK = nj.reaction_time(nj.make("PerceptualDecisionMaking-v0", sigma=0.3, abort=True))


def performance(algorithm, state, key):
    """Mean performance over trials, judged by the task's own rules."""
    act = algorithm.make_act(state)
    policy = lambda carry, obs, first, key: (carry, act(obs, key))
    run = nj.rollout(TASK, key, 256, 200, policy=policy, output="metrics")
    return float(run.metrics.summary()["performance"])


def main():
    """Performance before and after training."""
    import rejax

    algorithm = rejax.get_algo("ppo").create(
        env=LegacyEnv(TASK, episode_trials=10), num_envs=64, num_steps=64, learning_rate=1e-3,
        total_timesteps=400_000, eval_freq=400_000, skip_initial_evaluation=True,
    )  # fmt: skip
    # Its own evaluation asks for a greatest number of steps, which a session does not have.
    algorithm = algorithm.replace(eval_callback=lambda algorithm, state, key: ())
    untrained = algorithm.init_state(jax.random.key(0))
    trained, _ = jax.jit(algorithm.train)(jax.random.key(0))
    return tuple(performance(algorithm, state, jax.random.key(1)) for state in (untrained, trained))


if __name__ == "__main__":
    before, after = main()
    print(f"performance {before:.2f} before training, {after:.2f} after")
