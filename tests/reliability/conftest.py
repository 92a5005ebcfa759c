"""What every test of reliability may use: the command line, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture
def call(call: Callable[..., tuple[int, str, str]]) -> Callable[..., tuple[int, str]]:
    """Call the command line; returns exit code and what it said to standard error."""

    def run(*arguments: object) -> tuple[int, str]:
        code, _, said = call(*arguments)
        return code, said

    return run
