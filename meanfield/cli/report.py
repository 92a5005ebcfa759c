"""What is said of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meanfield.storage import Run


def describe(result: Run) -> str:
    """What a run was and how it ended, in a few lines."""
    from meanfield.storage import summarise

    spent = result.diagnostics
    lines = [
        f"{result.title or 'run'}: {result.status} ({result.stop_reason})",
        f"file        {result.path}",
    ]
    if not spent:
        return "\n".join([*lines, "particles   none yet: nothing was sealed so far"])
    lines += [
        f"particles   {result.final!r}",
        f"speed       {spent['steps_per_second']:.0f} steps/s, {spent['elapsed']:.1f} s in all, "
        f"of which compiling {spent['compiling']:.1f} s",
    ]
    if len(result.seeds) > 1:
        seeds = ", ".join(map(str, result.seeds))
        lines.append(f"seeds       {seeds} (mean ± standard deviation between them)")
    for name in result.names:
        data = result[name]
        if "coordinate" not in data.dims and data.sizes["time"]:
            lines.append(f"  {name:<20} {summarise(data[..., -1].values)}")
    provenance = result.provenance
    baseline = provenance.get("baseline_name")
    if baseline:
        lines.append(f"baseline    {baseline}, fitted on the same data")
        for key in ("train_accuracy", "test_accuracy", "test_risk"):
            if f"baseline_{key}" in provenance:
                lines.append(f"  {key:<20} {summarise(provenance[f'baseline_{key}'])}")
    return "\n".join(lines)
