"""Every task under `neurojax/<id>` for `gymnasium.make` and `gymnasium.make_vec`.

Gymnasium 1 has no plugins: an environment is registered by whoever is imported. So importing neurojax does it, without
importing Gymnasium: at once where that is imported already, else as soon as it is. Where neither is imported by name,
`gymnasium.make("neurojax:neurojax/GoNogo-v0")` imports neurojax.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_NAMESPACE = "neurojax"


def register_tasks() -> None:
    """Register all tasks with Gymnasium, and those that `nj.register` will add. Once is enough; twice does no harm."""
    from neurojax.core.registry import watch

    watch(register_task)


def register_task(id: str) -> None:
    """Register one task with Gymnasium, if it is not. An id with a slash or a colon in it has no name there."""
    import gymnasium

    name = f"{_NAMESPACE}/{id}"
    if "/" in id or ":" in id or name in gymnasium.registry:
        return
    gymnasium.register(
        name,
        entry_point="neurojax.envs.gymnasium_env:GymnasiumEnv",
        vector_entry_point="neurojax.envs.gymnasium_vector:GymnasiumVectorEnv",
        kwargs={"task": id},
    )


def register_when_imported() -> None:
    """Register all tasks with Gymnasium where it is imported, or as soon as it is. This imports nothing."""
    if "gymnasium" in sys.modules:
        register_tasks()
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds Gymnasium as everybody else finds it, and has the tasks registered after it is loaded."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "gymnasium":
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _Loader(spec.loader, self)
                return spec
        return None


class _Loader(Loader):
    """Loads as the loader that it holds, and then steps aside."""

    def __init__(self, loader: Loader, finder: _Finder):
        self.loader, self.finder = loader, finder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        if self.finder in sys.meta_path:
            sys.meta_path.remove(self.finder)
        register_tasks()
