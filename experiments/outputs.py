"""For experiments on what a network says at one place."""

from meanfield.observables import Observable, observables


@observables.register("output")
class Output(Observable):
    """``output``: f at the first sample."""

    def __call__(self, view):
        risk = view.risk
        return {"output": risk.network.output(view.ensemble, risk.data.x[:1])[0, 0]}
