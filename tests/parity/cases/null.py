"""Null: NeuroGym's has no frames and answers with a bare 0, so there is nothing to record; see test_tasks_decisions."""

from __future__ import annotations

from .base import Setting

SETTINGS: list[Setting] = []
