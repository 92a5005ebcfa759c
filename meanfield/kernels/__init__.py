"""The compiled sums over neurons, and where numba lives.

`meanfield.kernels.facade` has the entry points, which are found here too, and imported when they
are first used::

    from meanfield import kernels

    found = kernels.interact("relu", kernels.Neurons(a, w))
    kernels.explain("population", "relu", dim=2)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "facade": [
            "Choice",
            "Neurons",
            "Pull",
            "attend",
            "dissipation",
            "explain",
            "interact",
            "layer_output",
            "layer_pull",
            "mean",
            "pair_sums",
            "pairing",
            "second_moment",
        ]
    },
)
