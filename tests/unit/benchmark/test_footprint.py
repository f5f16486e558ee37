"""Peak memory of stages, each in a process of its own."""

import pytest

from kinlib.benchmark.footprint import measure
from kinlib.runtime.errors import KinlibError


def test_more_pictures_take_more_memory():
    one, many = measure("synthesise"), measure("synthesise", batch=16)
    assert 20 < one["megabytes"] < many["megabytes"] < 2000
    assert one["seconds"] > 0


def test_every_stage_needs_more_than_loading():
    least = measure("load")["megabytes"]
    for stage in ("encode", "refine"):
        assert measure(stage)["megabytes"] > least


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sleep",), "unknown stage 'sleep'"),
        (("encode", 0), "batch must be 1 or more"),
        (("encode", 1, "float8"), "cannot compute in 'float8'"),
        (("load", 1, "float32", False, "studios"), "preset"),
    ],
)
def test_refused(arguments, words):
    with pytest.raises(KinlibError, match=words) as caught:
        measure(*arguments)
    assert "\n" not in str(caught.value)
