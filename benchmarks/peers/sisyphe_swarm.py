"""SiSyPHE (Diez 2021): mean-field particle systems on KeOps; its attraction-repulsion model.

Without propulsion and friction its force is that of the Morse potential alone.
"""

from __future__ import annotations

import torch
from sisyphe.models import AttractionRepulsion

from benchmarks.contender import Run
from benchmarks.work import Morse


class SiSyPHE:
    name = "SiSyPHE"
    matrices = 0

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)

    def morse(self, work: Morse) -> Run:
        x = torch.from_numpy(work.inputs)
        (ca, la), (cr, lr) = work.attraction, work.repulsion
        swarm = AttractionRepulsion(
            *(x, torch.zeros_like(x)),
            interaction_radius=1.0,  # all masses are one
            box_size=100.0,
            propulsion=0.0,
            friction=0.0,
            **{"Ca": ca, "la": la, "Cr": cr, "lr": lr},
            dt=1.0,
            p=1,
            isaverage=True,
        )
        return lambda: (swarm.compute_force(),)
