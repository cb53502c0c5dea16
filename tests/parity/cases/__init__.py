"""What is compared with NeuroGym, a file a family of tasks.

A family's module holds `SETTINGS`, and may hold

    PLACES                          where a deviation may show: {(class, what): f(reference, task) -> bool [C, T]},
                                    or [N, T] where it depends on the play
    AFFECTS                         the fields in which a deviation shows here, where its class names none, or does not
                                    list it: {(class, what): fields}
    ELSEWHERE                       deviations that show between trials, where a test of their own looks for them
    make(setting)                   NeuroGym's environment, if neither its id nor `Setting.entry` is enough
    prepare(machine, setting, conditions)
                                    called before each trial: sets up draws of `machine.rng`, and returns the keywords
                                    of NeuroGym's `new_trial`; default: whole numbers for discrete conditions
    oracle(machine, setting, t, trial)
                                    the best action now, or None for NeuroGym's ground truth
    notes(machine, setting)         what else to record, as JSON
    REST                            the action of one who waits, if it is not 0, or (-1, -.5) of continuous ones

It is read where neurojax is missing and where NeuroGym is: it imports neither.
"""

from __future__ import annotations

import importlib
import pkgutil

from .base import Setting

FAMILIES = {
    info.name: importlib.import_module(f"{__name__}.{info.name}")
    for info in pkgutil.iter_modules(__path__)
    if info.name != "base"
}
SETTINGS: list[Setting] = [setting for family in FAMILIES.values() for setting in family.SETTINGS]
FAMILY_OF = {setting.name: name for name, family in FAMILIES.items() for setting in family.SETTINGS}
PLACES = {key: place for family in FAMILIES.values() for key, place in getattr(family, "PLACES", {}).items()}
AFFECTS = {key: fields for family in FAMILIES.values() for key, fields in getattr(family, "AFFECTS", {}).items()}
ELSEWHERE = {key for family in FAMILIES.values() for key in getattr(family, "ELSEWHERE", ())}


def hook(setting: Setting, name: str, default=None):
    """A function of the setting's family, or the default."""
    return getattr(FAMILIES[FAMILY_OF[setting.name]], name, default)
