"""The mark of tests that need the head model, which is not part of the project's files."""

import pytest

from kinlib.studio.head.model import have_head

__all__ = ["needs_head"]

needs_head = pytest.mark.skipif(
    not have_head(), reason="needs the head model: set KINLIB_ICT_DIR to a folder that holds it"
)
