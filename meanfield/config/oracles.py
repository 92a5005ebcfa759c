"""An oracle for an experiment, by name or as a table: its keys are the arguments of its class.

What the experiment says already need not be said again: network, data, loss, ridge, temperature.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from meanfield.config.arguments import Argument, arguments, members
from meanfield.config.problems import Problems
from meanfield.config.tables import Table, check_kind
from meanfield.data import FiniteData, Stream
from meanfield.errors import Unsupported, require
from meanfield.functionals import Functional
from meanfield.networks import TwoLayer

if TYPE_CHECKING:
    from meanfield.limits import Oracle

SAID = ("loss", "l2", "temperature")  # in [energy], under the names that oracles have for them


def oracle_of(given: Any, name: str, energy: Functional, said: Mapping[str, Any]) -> Oracle:
    """The oracle that is named, or described by a table with ``kind``; or itself.

    Parameters
    ----------
    given : str, table or Oracle
    name : str
        What to call it in messages.
    energy : Functional
        Of the experiment; network and data of its risk are those of the oracle.
    said : mapping
        The section ``[energy]``, defaults filled in.

    Raises
    ------
    InvalidInput, Mistakes
        If it is none of these, or an argument cannot be.
    Unsupported
        If it needs what no table can hold, and the experiment does not have.
    """
    from meanfield.limits import Oracle, oracles

    if isinstance(given, Oracle):
        return given
    table = {"kind": given} if isinstance(given, str) else given
    require(isinstance(table, Mapping), name, given, "an oracle, its name, or a table with kind")
    kind, objects = table.get("kind"), Table()
    own: Mapping[str, Argument] = {}
    if isinstance(kind, str) and kind in oracles:
        own = arguments(oracles[kind])
        objects = _objects(own, energy)
        table = {key: said[key] for key in SAID if key in own and key in said} | dict(table)
    for key, argument in own.items():
        if argument.is_required and key not in objects and not members(argument.hint):
            raise Unsupported(
                f"{name}: the oracle {kind!r} needs {key!r}, which no table can hold and the "
                "experiment does not have: register a class that makes it in a Python file of the "
                "experiment, or give the oracle itself from Python"
            )
    problems, section = Problems(name), str(kind) if own else "oracle"
    checked = check_kind(oracles, table, section, problems, without=list(objects))
    problems.finish()
    assert checked is not None  # else there was a mistake
    found: Oracle = problems.attempt(section, checked.build, **objects)
    problems.finish()
    return found


def _objects(own: Mapping[str, Argument], energy: Functional) -> Table:
    """Network and finite data of the risk, where these are arguments."""
    found: Table = {}
    for _, term in energy.terms():
        data = getattr(term, "data", None)
        source = data.source if isinstance(data, Stream) else data
        for key, value in (("network", getattr(term, "network", None)), ("data", source)):
            wanted = own[key].hint if key in own else None
            if wanted in (TwoLayer, FiniteData) and isinstance(value, wanted):
                found.setdefault(key, value)
    return found
