"""The program: what its commands are called under, and how it ends."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from meanfield.cli.completion import join_words
from meanfield.cli.output import adapt_streams
from meanfield.errors import REFUSED, MeanfieldError, NotWritten

WRONG_INPUT = 2
DIVERGED = 1
INACCURATE = 1
DIFFERENT = 1
INTERRUPTED = 130  # as a shell reports Ctrl-C
NOT_WRITTEN = 74  # of a full disk, for instance; sysexits.h calls it EX_IOERR


class Contents(TyperGroup):
    """The commands, whose help opens with them: its own options are told at its end."""

    def get_params(self, context: Any) -> list[Any]:
        """The options, hidden."""
        found = super().get_params(context)
        for option in found:
            option.hidden = True  # type: ignore[attr-defined]
        return found


app = typer.Typer(
    cls=Contents,
    help="Particle-system engine for the mean-field theory of neural networks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Entry point: a user's mistake is one sentence and exit code 2, a disk that refuses 74.

    With MEANFIELD_DEBUG=1 the traceback is printed before it.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("meanfield: %(message)s"))
    logger = logging.getLogger("meanfield")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.WARNING)
    adapt_streams()
    join_words(os.environ)
    try:
        app(prog_name="meanfield")
    except MeanfieldError as error:
        _refuse(error, str(error), NOT_WRITTEN if isinstance(error, NotWritten) else WRONG_INPUT)
    except MemoryError as error:
        _refuse(error, f"out of memory: {error}")
    except OSError as error:
        _refuse(error, str(error), NOT_WRITTEN if error.errno in REFUSED else WRONG_INPUT)
    except Exception as error:
        from meanfield.config import python

        said = python.blame(error)
        if said is None:
            raise
        _refuse(error, said)


def _refuse(error: BaseException, said: str, code: int = WRONG_INPUT) -> NoReturn:
    if os.environ.get("MEANFIELD_DEBUG"):
        traceback.print_exception(error)
    for sentence in said.split("\n"):
        print(f"meanfield: {sentence}", file=sys.stderr)
    raise SystemExit(code) from None
