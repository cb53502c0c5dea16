"""Write your own task: detect a faint tone, in under thirty lines, and check that it keeps the contract."""

import jax
import jax.numpy as jnp

import neurojax as nj


class ToneInNoise(nj.Task):
    """Say whether there was a tone (1) or not (2)."""

    TIMING = {"fixation": 200, "stimulus": ("uniform", (300, 800)), "decision": 400}
    REWARDS = {"correct": 1.0, "fail": 0.0}
    level: nj.Array = nj.quantity(0.3, low=0, doc="level of the tone over the noise")

    channels = nj.Channels.named(go=1, sound=1)
    actions = nj.Discrete.named(wait=1, tone=1, silence=1)

    def conditions(self, draw, memory):
        return {"tone": draw.flip("tone", 0.5)}

    def observe(self, trial, state, t):
        heard = trial["tone"] & trial.during("stimulus", t)
        return {"go": trial.during("decision", t), "sound": jnp.where(heard, self.level, 0.0)}

    def noise(self, trial, state, t, draw):
        return {"sound": draw.normal("sound", (1,))}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), jnp.where(trial["tone"], 1, 2), 0)

    def respond(self, trial, state, action, t, draw):
        answers = trial.during("decision", t) & (action != 0)
        correct = answers & (action == self.target(trial, state, t))
        reward = jnp.where(answers, jnp.where(correct, self.rewards["correct"], self.rewards["fail"]), 0.0)
        return nj.consequence(reward=reward, end=answers, correct=correct)


if __name__ == "__main__":
    nj.register("ToneInNoise-v0", ToneInNoise)
    task = nj.make("ToneInNoise-v0", dt=50)
    nj.check_task(task)
    print(nj.render(task, jax.random.key(0), 8).inputs.shape)
    print(nj.rollout(task, jax.random.key(0), 64, 500, output="metrics").metrics.summary())
