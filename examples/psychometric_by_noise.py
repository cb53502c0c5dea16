"""Vary a parameter without recompiling: an integrator's accuracy under three levels of noise, in one vmapped call."""

import jax
import jax.numpy as jnp

import neurojax as nj


def accuracy(task, key, coherence):
    """How often the sign of the summed evidence is right."""
    batch = nj.render(task, key, 4096, coherence=coherence)
    evidence = batch.inputs[:, :, 1].sum(axis=1) - batch.inputs[:, :, 2].sum(axis=1)
    return jnp.mean((evidence < 0) == batch.conditions["ground_truth"])


if __name__ == "__main__":
    sigmas = jnp.array([0.5, 1.0, 2.0])
    tasks = nj.stack([nj.make("PerceptualDecisionMaking-v0", sigma=float(s)) for s in sigmas])
    at = lambda task: jax.vmap(lambda coherence: accuracy(task, jax.random.key(0), coherence))(jnp.array([3.2, 6.4]))
    curves = jax.vmap(at)(tasks)
    for sigma, (low, high) in zip(sigmas, curves, strict=True):
        print(f"sigma {sigma:.1f}: {low:.3f} at 3.2%, {high:.3f} at 6.4%")
