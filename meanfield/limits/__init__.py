"""The limit N → ∞ itself, without particles: closed forms, reduced systems, fixed points."""

from meanfield.limits.base import Limit, Oracle, checked_times, oracles

__all__ = ["Limit", "Oracle", "checked_times", "oracles"]
