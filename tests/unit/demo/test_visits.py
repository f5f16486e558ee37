"""Visitors' states: apart from each other, bounded, and gone with the visitor."""

import gc
import threading
import time
import weakref

import pytest

from kinlib.demo.limits import Limits
from kinlib.demo.visits import Visits
from kinlib.runtime.errors import KinlibError
from kinlib.session import Settings
from kinlib.studio.datasets import sample_parents


@pytest.fixture
def visits(kin) -> Visits:
    return Visits(kin.separate(), Limits(visitors=2, idle=0.05))


def test_two_visitors_share_nothing_but_the_networks(visits):
    with visits.use("a") as a, visits.use("b") as b:
        assert a.session.choose_couple(1) and a.session.generate(Settings())
        assert not b.session.faces and b.session.child is None
        assert a.session.kin.generator is b.session.kin.generator
        assert a.session.kin._faces is not b.session.kin._faces
    with visits.use("a") as again:
        assert again is a


def test_a_visit_leaves_nothing_in_memory(visits):
    with visits.use("a") as visit:
        visit.session.choose_couple(1)
        visit.session.generate(Settings(n=2))
        visit.forget_photographs()
        assert not visit.session.kin._faces and visit.session.faces  # the parents shown stay, nothing else
        left = [weakref.ref(one) for one in (visit, visit.session, visit.session.faces["father"], visit.session.child)]
    visits.end("a")
    del visit
    gc.collect()
    assert [one() for one in left] == [None] * 4 and not visits.kin._faces and len(visits) == 0


def test_a_further_visitor_is_turned_away_until_another_has_left(visits):
    for key in ("a", "b"):
        with visits.use(key):
            pass
    with pytest.raises(KinlibError, match="already has 2 visitors"), visits.use("c"):
        pass
    time.sleep(0.06)
    visits.end_idle()
    with visits.use("c"):
        assert len(visits) == 1


@pytest.mark.parametrize("key", [None, ""])
def test_who_is_unknown_has_no_visit(visits, key):
    with pytest.raises(KinlibError, match="load it again"), visits.use(key):
        pass


def test_requests_of_one_visitor_wait_for_each_other(visits):
    order = []

    def second() -> None:
        with visits.use("a"):
            order.append("second")

    with visits.use("a"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_fitting_stops_when_the_visitor_leaves(visits):
    father = sample_parents.couple(1)[0]
    steps = []

    def report(text: str, share: float) -> None:
        steps.append(share)
        if len(steps) == 3:
            visits.end("a")

    with visits.use("a", report) as visit:
        visit.session.refine = 10_000
        assert not visit.session.choose_upload("father", father.name, father.read_bytes())
        assert "left" in visit.session.message and len(steps) == 3


def test_fitting_stops_when_the_time_is_up(kin):
    visits, father = Visits(kin, Limits(seconds=0.3)), sample_parents.couple(1)[0]
    with visits.use("a") as visit:
        visit.session.refine = 10_000
        began = time.monotonic()
        assert not visit.session.choose_upload("father", father.name, father.read_bytes())
    assert "longer than 0.3 seconds" in visit.session.message
    assert time.monotonic() - began < 60  # 10,000 steps would take a quarter of an hour
