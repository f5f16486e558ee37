"""Numbers that somebody typed are found in the prose, and only there; passages stand where their numbers are."""

import pytest

from kinlib.report.passages import lacking, look_up, without
from kinlib.report.prose import lost_semicolons, prose_of, typed_numbers
from kinlib.runtime.errors import KinlibError

TYPED = {
    "We found 54 houses.": ["54"],
    "It is 12.1% of them, or -3.5 dB.": ["12.1%", "-3.5"],
    'He said "14,816 images" and left.': ["14,816"],
    '#picture("01_tree", [A family of 7 people])': ["7"],
    '#tabled(ruled(head: ([a]), [12], number("x/y", digits: 3)), [Of 9.])': ["12", "9"],
    "#let note = [there were 33 of them]": ["33"],
    "#if true [it is 5]": ["5"],
    '- a list with 17 in it #number("x/y") and 18': ["17", "18"],
    "turned by 30° and 30 °": ["30°", "30 °"],
    "https://example.org/2013 and 2014": ["2014"],
}
READ = [
    "StyleGAN2 draws Family101 in W18, as A1 has it.",
    '#number("01_families/people") people, #percent("02_trios/share", digits: 1).',
    '#theirs("casey2025")[209] houses and #theirs("x")[a #emph[12%] share]',
    '#table(theirs("fang2013")[206], number("a/b", times: 100))',
    "@casey2025[chapters 3 to 5] shows 68 points on 120 × 150 pixels.",
    "$18 times 512$ numbers, `kinlib render --seed 3`, // 99 in a comment\n/* and 98 */ text",
    "#set text(size: 10.5pt)\n#let width = 80%\n",
    "#cite(<li2023>, supplement: [page 7]) \\#x is escaped",
    "a label <tab:07> and @fig:01_tree.",
]


@pytest.mark.parametrize("source", TYPED)
def test_typed_numbers_are_found(source):
    assert [number for _, number in typed_numbers(source)] == TYPED[source]


@pytest.mark.parametrize("source", READ)
def test_numbers_that_are_read_quoted_or_define_something_pass(source):
    assert typed_numbers(source) == []


def test_lines_are_counted_from_one():
    assert typed_numbers('one\n\ntwo 2\nthree\n4 #theirs("x")[\n5]\n 6') == [(3, "2"), (5, "4"), (7, "6")]


def test_semicolons_that_typst_swallows_are_found():
    source = 'a #number("a/b"); b\n#theirs("x")[5]\\; c; d\n- (#emph[e];) #let f = 1;\n[#table([g;], h);]'
    assert lost_semicolons(source) == [1, 3, 4]


def test_prose_has_the_place_of_every_letter():
    source = 'Before #number("a/b") after [in #emph[brackets]].\n'
    prose = prose_of(source)
    assert len(prose) == len(source)
    assert [prose.index(word) for word in ("Before", "after", "brackets", ".\n")] == [
        source.index(word) for word in ("Before", "after", "brackets", ".\n")
    ]
    assert '"' not in prose and "number" not in prose


NUMBERS = {"01_families": {"people": 159, "none": {}, "pair": [8.5, 9], "share": 0.0}}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        *(("01_families/people", 159), ("01_families/pair/1", 9), ("01_families/share", 0.0)),
        *((path, None) for path in ("01_families/pair/2", "02_trios/trios", "01_families/people/x")),
        ("01_families/none/age", None),
    ],
)
def test_numbers_are_looked_up_by_their_path(path, found):
    assert look_up(NUMBERS, path) == found


def test_a_passage_stands_where_its_number_is():
    text = "a\n//: with 01_families/share\nb\n//: end\nc\n//: with 01_families/none/age\nd 12\ne\n//: end\nf\n"
    kept = without(text, NUMBERS, "x.typ")
    assert "b" in kept and "d 12" not in kept
    assert [line for line in kept.split("\n") if line and "//" not in line] == ["a", "b", "c", "f"]
    assert kept.count("\n") == text.count("\n")
    assert lacking(text, NUMBERS) == ["01_families/none/age"]


WRONG = [
    "//: with a/b\nno\n",
    "//: end\n",
    "//: with a/b\n//: with c/d\n//: end\n//: end\n",
    "//: end\n//: with a/b\n//: end\n",
]


@pytest.mark.parametrize("text", WRONG)
def test_a_passage_needs_one_begin_and_one_end(text):
    with pytest.raises(KinlibError, match=r"report/x\.typ.*//: end"):
        without(text, NUMBERS, "x.typ")
