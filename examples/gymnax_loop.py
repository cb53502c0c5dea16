"""Use a task as a gymnax environment: a plain scan under vmap, with gymnax's own logging wrapper."""

import jax
from gymnax.wrappers.purerl import LogWrapper

import neurojax as nj


def run(env, params, key, n_envs=64, n_steps=200):
    """Random actions in `n_envs` environments; how many trials end in each."""
    keys = jax.random.split(key, n_envs)
    _, state = jax.vmap(env.reset, in_axes=(0, None))(keys, params)

    def body(state, key):
        act, step = jax.random.split(key)
        actions = jax.vmap(env.action_space(params).sample)(jax.random.split(act, n_envs))
        step_keys = jax.random.split(step, n_envs)
        _, state, reward, _, _, info = jax.vmap(env.step, in_axes=(0, 0, 0, None))(step_keys, state, actions, params)
        return state, (reward, info["new_trial"])

    return jax.lax.scan(body, state, jax.random.split(key, n_steps))[1]


if __name__ == "__main__":
    env = LogWrapper(nj.Env(nj.make("PerceptualDecisionMaking-v0"), episode_trials=10))
    reward, new_trial = jax.jit(lambda key: run(env, env.default_params, key))(jax.random.key(0))
    print(f"reward per step {reward.mean():.4f}, {int(new_trial.sum())} trials")
