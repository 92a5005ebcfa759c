"""The limit on BLAS: there while anyone needs it, gone afterwards."""

from __future__ import annotations

import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from meanfield.kernels.blas import single_threaded


def counts():
    blas = ThreadpoolController().select(user_api="blas")
    return {library["num_threads"] for library in blas.info()}


@pytest.fixture(autouse=True)
def _two_threads():
    with threadpool_limits(2, user_api="blas"):
        if counts() != {2}:
            pytest.skip("this BLAS has one thread")
        yield


def test_the_outermost_context_decides():
    with single_threaded():
        assert counts() == {1}
        with single_threaded():
            assert counts() == {1}
        assert counts() == {1}
    assert counts() == {2}


def test_contexts_that_overlap():
    """As from two threads: the second outlives the first."""
    first, second = single_threaded(), single_threaded()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert counts() == {1}
    second.__exit__(None, None, None)
    assert counts() == {2}


def test_an_error_lifts_it():
    with pytest.raises(ZeroDivisionError), single_threaded():
        raise ZeroDivisionError
    assert counts() == {2}
    with single_threaded():
        assert counts() == {1}
