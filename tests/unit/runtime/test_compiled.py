"""Compiled functions, with and without a place for their machine code."""

import numpy as np
import pytest
from numba.core.caching import FunctionCache

from kinlib.runtime.compiled import njit


def double(x):
    return 2 * x


def test_machine_code_is_kept():
    kept = njit(cache=True)(double)
    assert isinstance(kept._cache, FunctionCache) and kept(3) == 6
    assert not isinstance(njit(cache=False)(double)._cache, FunctionCache)


def test_nowhere_to_keep_it(monkeypatch):
    """As in a read-only package of an account without a home: numba alone refuses, kinlib computes all the same."""
    monkeypatch.setattr(FunctionCache._impl_class, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="no locator available"):
        FunctionCache(double)
    fast = njit(cache=True, fastmath=True)(double)
    assert not isinstance(fast._cache, FunctionCache) and fast(np.float32(1.5)) == 3
    assert fast.targetoptions["fastmath"]
