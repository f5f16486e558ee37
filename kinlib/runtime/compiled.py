"""Functions compiled by numba, whose machine code is kept on disk where there is a place for it."""

from collections.abc import Callable

__all__ = ["njit"]


def njit(cache: bool = True, **options) -> Callable[[Callable], Callable]:
    """`numba.njit(cache=True, ...)` that also works where nothing can be written.

    numba keeps machine code beside the module, or in the user's cache folder. Where it can write to neither (a package
    installed by root, used by an account without a home), it refuses the function at import. Here the function is then
    compiled anew in every process; setting `NUMBA_CACHE_DIR` to a writable folder saves that time.

    Args:
        cache: whether to keep the machine code at all.
        options: further options of `numba.njit`, `fastmath` for instance.

    Returns:
        A decorator.
    """
    import numba

    def compiled(function: Callable) -> Callable:
        if cache:
            try:
                return numba.njit(cache=True, **options)(function)
            except RuntimeError:  # "no locator available": no folder to keep it in
                pass
        return numba.njit(**options)(function)

    return compiled
