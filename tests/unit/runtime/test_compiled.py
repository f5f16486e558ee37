"""Compiled functions, with and without a place for their machine code."""

from pathlib import Path

import numpy as np
import pytest
from numba.core.caching import FunctionCache

from kinlib.runtime import compiled
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


def test_no_module_uses_numba_directly():
    """Else importing it would fail where machine code cannot be kept."""
    package = Path(compiled.__file__).parents[1]
    users = [path.relative_to(package) for path in package.rglob("*.py") if "import numba" in path.read_text()]
    direct = [path.relative_to(package) for path in package.rglob("*.py") if "from numba import" in path.read_text()]
    assert users == [Path("runtime/compiled.py")] and not direct
