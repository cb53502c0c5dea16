"""NeuroGym's own figures. Run by the Python of an environment that has NeuroGym (and PyTorch), and nothing of ours:

    python benchmarks/neurogym_side.py [--quick] [TASK ...]

Prints one JSON object. Settings are those of NeuroGym's PyTorch example: PerceptualDecisionMaking at dt = 100, batch
16, 100 steps, LSTM of 64 units, Adam at 1e-2. `env.step` is called on the bare environment with actions drawn
beforehand, which is its fastest form.
"""

import argparse
import importlib
import json
import platform
import statistics
import time
import warnings
from importlib.metadata import PackageNotFoundError, version

TASK, BATCH, STEPS, HIDDEN = "PerceptualDecisionMaking-v0", 16, 100, 64


def median_seconds(call, repeats):
    """Median time of a call, after one that is not counted."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


# Classes of NeuroGym that it does not register: its own comments say that they fail its tests.
UNREGISTERED = {
    "AnnubesEnv-v0": "native.annubes:AnnubesEnv",
    "Detection-v0": "native.detection:Detection",
    "ToneDetection-v0": "native.tonedetection:ToneDetection",
    "AngleReproduction-v0": "contrib.anglereproduction:AngleReproduction",
    "ChangingEnvironment-v0": "contrib.changingenvironment:ChangingEnvironment",
    "CVLearning-v0": "contrib.cv_learning:CVLearning",
    "IBL-v0": "contrib.ibl:IBL",
    "IBL_Block-v0": "contrib.ibl:IBL_Block",
    "LeverPress-v0": "contrib.leverpress:LeverPress",
    "LeverPressWithPoke-v0": "contrib.leverpress:LeverPressWithPoke",
    "LeverPressWithPokeRest-v0": "contrib.leverpress:LeverPressWithPokeRest",
    "MatchingPenny-v0": "contrib.matchingpenny:MatchingPenny",
    "MemoryRecall-v0": "contrib.memoryrecall:MemoryRecall",
    "Pneumostomeopening-v0": "contrib.pneumostomeopening:Pneumostomeopening",
}


def make(ngym, task):
    """The bare environment, or None where NeuroGym has none of this name."""
    import gymnasium

    if task in gymnasium.registry:
        return ngym.make(task).unwrapped
    if task in UNREGISTERED:
        module, name = UNREGISTERED[task].split(":")
        return getattr(importlib.import_module(f"neurogym.envs.{module}"), name)()
    return None


def step_rates(ngym, tasks, steps, repeats):
    """Rates by task, and by task the reason why one could not be stepped."""
    rates, failed = {}, {}
    for task in tasks:
        try:
            env = make(ngym, task)
            if env is not None:
                rates[task] = step_rate(env, steps, repeats)
        except Exception as error:  # whatever NeuroGym raises is what we report
            failed[task] = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    return rates, failed


def step_rate(env, steps, repeats):
    """`env.step` calls per second under random actions; trials follow each other, as in its own loops."""
    env.reset()
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(steps)]

    def loop():
        for action in actions:
            env.step(action)

    return steps / median_seconds(loop, repeats)


def updates(dataset, repeats):
    """Milliseconds of one update of the example, and of its data and its network alone, with the better threads."""
    import torch  # type: ignore[reportMissingImports]

    inputs, labels = dataset()
    sizes = inputs.shape[-1], int(dataset.env.action_space.n)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = torch.nn.LSTM(sizes[0], HIDDEN)
            self.readout = torch.nn.Linear(HIDDEN, sizes[1])

        def forward(self, x):
            return self.readout(self.lstm(x)[0])

    torch.manual_seed(0)
    net, loss_of = Net(), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)

    def learn(inputs, labels):
        x = torch.from_numpy(inputs).type(torch.float)
        y = torch.from_numpy(labels.flatten()).type(torch.long)
        optimizer.zero_grad()
        loss = loss_of(net(x).view(-1, sizes[1]), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    # Its data come in blocks, so single draws differ: many updates make one sample.
    many = 60
    found = []
    for threads in sorted({1, torch.get_num_threads()}):
        torch.set_num_threads(threads)
        total = median_seconds(lambda: [learn(*dataset()) for _ in range(many)], repeats) / many
        data = median_seconds(lambda: [dataset() for _ in range(many)], repeats) / many
        network = median_seconds(lambda: [learn(inputs, labels) for _ in range(many)], repeats) / many
        times = {"update_ms": total * 1e3, "data_ms": data * 1e3, "network_ms": network * 1e3}
        found.append({**times, "threads": threads})
    return min(found, key=lambda times: times["update_ms"])


def versions():
    found = {"python": platform.python_version()}
    for package in ("neurogym", "numpy", "torch"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tasks", nargs="*", default=[TASK])
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    import neurogym as ngym  # type: ignore[reportMissingImports]

    steps, repeats = (5_000, 3) if options.quick else (20_000, 5)
    rates, failed = step_rates(ngym, options.tasks, steps, repeats)
    dataset = ngym.Dataset(TASK, env_kwargs={"dt": 100}, batch_size=BATCH, seq_len=STEPS)
    many = 200  # several refills of its cache
    seconds = median_seconds(lambda: [dataset() for _ in range(many)], repeats) / many
    timed = {"update_ms": None, "data_ms": None, "network_ms": None, "threads": None}
    packages = versions()
    if "torch" in packages:
        timed = updates(dataset, repeats)
    out = {
        "packages": packages,
        "dataset_steps_per_second": BATCH * STEPS / seconds,
        "env_steps_per_second": rates,
        "failed": failed,
        **timed,
    }
    print(json.dumps(out))


if __name__ == "__main__":
    main()
