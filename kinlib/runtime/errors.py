"""The one exception for problems that a user can solve.

Every wrong input (a missing photograph, a picture without a face, absent weights) raises `KinlibError` with a single
sentence that says what is wrong and, where possible, what to do. The command line prints that sentence and exits with
code 2.
"""

__all__ = ["KinlibError"]


class KinlibError(ValueError):
    """A problem with the input or the set-up, in one sentence."""
