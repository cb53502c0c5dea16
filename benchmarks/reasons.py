"""Why a task is slow, for the tables: what it does that the plain task does not."""

from __future__ import annotations

# By the beginning of the id; the longest that fits counts.
REASONS: dict[str, str] = {}


def reason(task: str) -> str:
    """Why the task costs more than the plain one, or an empty string."""
    fits = [name for name in REASONS if task.startswith(name)]
    return REASONS[max(fits, key=len)] if fits else ""
