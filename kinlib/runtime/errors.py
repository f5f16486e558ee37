"""The one exception that means: the user can mend this.

Everything a user can get wrong (a missing photograph, a faceless picture, absent weights) raises `KinlibError` with a
single sentence that says what is wrong and, where there is one, what to do. The command line prints that sentence and
exits with code 2; notebooks show it without a traceback from ten frames below.
"""

__all__ = ["KinlibError"]


class KinlibError(ValueError):
    """A problem with the input or the set-up, told in one sentence."""
