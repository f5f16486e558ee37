"""The studio by the clock, and whether a detector takes its people for people: `make bench`.

Bounds leave room for a busy machine; the seconds are printed.
"""

import time
from dataclasses import replace

import numpy as np
from PIL import Image
from studio_head import needs_head

from kinlib.runtime.worker_pool import cores, spread
from kinlib.studio.datasets.batch import RenderSettings, render_people
from kinlib.studio.datasets.sampling import member, sessions
from kinlib.studio.genetics import children, founders, phenotypes, trait_distribution
from kinlib.studio.pedigree.extended_families import simulate
from kinlib.studio.person import Look, Person, Shot
from kinlib.studio.render import render, warm_up

AIM = 2.0  # pictures of 128 px in a second of a core's time
SEED = 2024  # of the crowd that the detector sees
FACES, FRONTAL, SURE, FOUND = 300, 30.0, 0.95, 0.98  # pictures, degrees of yaw, score, share


def seconds(function, repeats: int = 5) -> float:
    """The best of a few runs after one to warm up: other work on the machine only ever adds time."""
    function()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        function()
        times.append(time.perf_counter() - begun)
    return min(times)


def test_a_thousand_siblings_with_all_traits():
    rng = np.random.default_rng(0)
    father, mother = founders("birch", 1, rng), founders("dune", 1, rng)
    drawn = seconds(lambda: children(father, mother, 1000, rng))
    whole = seconds(lambda: phenotypes(children(father, mother, 1000, rng)))
    theory = seconds(lambda: trait_distribution(father, mother))
    print(f"\n1,000 siblings: genomes {drawn:.3f} s, with traits {whole:.3f} s; their distribution {theory:.3f} s")
    assert whole < 0.1


def test_pedigrees():
    print(f"\n26 families, 170 people: {seconds(simulate, 2):.2f} s; ", end="")
    print(f"500 families, 4,000 people: {seconds(lambda: simulate(500, 4000), 1):.1f} s")


@needs_head
def test_pictures_a_second(tmp_path):
    """By the clock from the first results on, and by the processor's time, which other work on the machine spares."""
    settings = RenderSettings(people=48, images_each=3, size=128)
    warm_up()
    begun = time.perf_counter()
    times = {done: time.perf_counter() for done in render_people(settings, tmp_path / "all")}
    first, last = 12 * 3, 48 * 3
    rate = (last - first) / (times[last] - times[first])
    size = sum(path.stat().st_size for path in (tmp_path / "all").glob("*.parquet")) / last / 1000
    print(f"\n128 px, {cores()} cores: {rate:.1f} pictures a second by the clock, {size:.1f} kB each; ", end="")
    spent = time.process_time()
    *_, alone = render_people(replace(settings, people=12), tmp_path / "one", workers=1)
    per_core = alone / (time.process_time() - spent)
    print(f"{per_core:.1f} in a second of one core's time; the first picture after {times[3] - begun:.1f} s")
    assert per_core >= AIM


def somebody(number: int) -> tuple[Person, Look, Shot] | None:
    """Who is to be found, as `kinlib render` would show them first; None if they are turned too far."""
    person = member(SEED, number)
    look, shots = next(sessions(person, SEED, number, 1))
    return (person, look, shots[0]) if abs(shots[0].yaw) < FRONTAL else None


def draw(number: int) -> np.ndarray:
    person, look, shot = somebody(number)
    return render(person, look, shot, 256, crop="photo").image


@needs_head
def test_a_detector_finds_the_people():
    """MTCNN was trained on photographs and knows nothing of renders."""
    from kinlib.faces.keypoints import detect

    numbers = [number for number in range(2 * FACES) if somebody(number)][:FACES]
    warm_up()
    images = [Image.fromarray(image) for image in spread(draw, numbers)]
    scores = [0.0 if face is None else face.score for face in detect(images)]
    missed = [(number, score) for number, score in zip(numbers, scores, strict=True) if score <= SURE]
    share = 1 - len(missed) / FACES
    print(f"\nMTCNN, score > {SURE}: {share:.1%} of {FACES} people, |yaw| < {FRONTAL:.0f} degrees, 256 px")
    for number, score in missed:
        _, look, shot = somebody(number)
        words = f"{look.hair_style}, beard {look.beard}, glasses {look.glasses is not None}, hat {look.hat}"
        print(f"  {number}: {score:.2f}; age {look.age:.0f}, {words}, yaw {shot.yaw:.0f}, pitch {shot.pitch:.0f}")
    assert share >= FOUND
