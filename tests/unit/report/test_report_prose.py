"""Typed numbers are found in the printed text, and only there; optional passages stand where numbers are stored."""

import json

import pytest

from kinlib.report.checks import problems
from kinlib.report.sources import Sources
from kinlib.report.typesetting import notes
from kinlib.runtime import config

TEMPLATE = (config.project_root() / "report" / "template.typ").read_bytes()
SETUP = b'#import "template.typ": *\n#show: report\n'
BIBLIOGRAPHY = b"@misc{casey2025, title = {A}}\n@misc{fang2013, title = {B}}\n"
NUMBERS = {"people": 159, "none": {}, "pair": [8.5, 9], "share": 0.0, "name": "4 words"}
TYPED = {
    "We found 54 houses.": ["54"],
    "It is 12.1% of them, or -3.5 dB.": ["12.1%", "3.5"],
    'He said "14,816 images" and left.': ["14,816"],
    "#figure([], caption: [A family of 7 people])": ["7"],
    '#tabled(ruled(head: ([a], [b]), [12], number("x/people", digits: 3)), [Of 9.])': ["12", "9"],
    "#let note = [there were 33 of them]\n#note": ["33"],
    "#if true [it is 5]": ["5"],
    '- a list with 17 in it #number("x/people") and 18': ["17", "18"],
    "rotated by 30° and 31 °": ["30°", "31 °"],
    "https://example.org/2013 and 2014": ["2014"],
    '#link("https://example.org")[of 2015]': ["2015"],
    "30px wide, 3 \\\n4": ["30px", "3", "4"],
    "= The 6 houses": ["6"],
    "split *2* and _8_": ["2", "8"],
}
READ = [
    "StyleGAN2 synthesises Family101 in W18, as A1 has it, from a 3D head model.",
    '#number("x/people") people, #percent("x/share", digits: 1), #number("x/name"), #computed(7), #signed(8).',
    '#theirs("casey2025")[209] houses and #theirs("fang2013")[a #emph[12%] share]',
    '#table(theirs("fang2013")[206], number("x/people", times: 100))',
    "@casey2025[chapters 3 to 5] shows 68\npoints on 120 × 150 pixels.",
    "$18 times 512$ numbers, `kinlib render --seed 3`, // 99 in a comment\n/* and 98 */ text",
    "#set text(size: 10.5pt)\n#let width = 80%\n",
    "#let unused = [of 12 words]\n#if false [of 13]",
    "#cite(<fang2013>, supplement: [page 7]) \\#x is escaped",
    "= A section <sec:07>\n@sec:07 comes first.\n+ One\n+ Two",
]


def report_of(text: str, root=None, numbers=None) -> Sources:
    """The sources of a report with this text."""
    files = {
        "report/report.typ": SETUP + text.encode(),
        "report/template.typ": TEMPLATE,
        "report/references.bib": BIBLIOGRAPHY,
        "report/numbers/x.json": json.dumps(numbers or NUMBERS).encode(),
        "figures/manifest.json": b"{}",
    }
    return Sources(root, files, {})


def typed_numbers(text: str) -> list[str]:
    """The numbers that the check takes for typed."""
    found = [value for kind, value in notes(report_of(text)) if kind == "problem" and "typed by hand" in value]
    return [value.partition(" has the number ")[2].partition(" typed by hand")[0] for value in found]


@pytest.mark.parametrize("text", TYPED)
def test_typed_numbers_are_found(text):
    assert typed_numbers(text) == TYPED[text]


@pytest.mark.parametrize("text", READ)
def test_numbers_that_are_read_quoted_or_define_something_pass(text):
    assert typed_numbers(text) == []


def test_the_section_of_a_typed_number_is_named():
    ((_, found),) = notes(report_of("@casey2025 @fang2013\n= One\n== A\n= Two\n== B\n== C\nIt is 5."))
    assert found.startswith("section 2.2 of the report has the number 5 typed by hand")


def test_semicolons_that_typst_swallows_are_found(tmp_path):
    text = b'a #number("a/b"); b\n#theirs("x")[5]\\; c; d\n- (#emph[e];) #let f = 1;\n[#table([g;], h);]'
    sources = report_of("", tmp_path)
    found = problems(Sources(tmp_path, {**sources.files, "report/chapters/1.typ": text}, {}))
    lines = [int(problem.partition(".typ:")[2].split()[0]) for problem in found if "semicolon" in problem]
    assert lines == [1, 3, 4]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        *(("x/people", "159"), ("x/pair/1", "9"), ("x/share", "0.0")),
        *((path, "none") for path in ("x/pair/2", "x/pair/a", "x/trios", "x/people/x", "x/none/age")),
    ],
)
def test_numbers_are_looked_up_by_their_path(path, found):
    (told,) = notes(report_of(f'#note("problem", repr(look-up("{path}")))'))[:1]
    assert told == ("problem", found)


@pytest.mark.parametrize(("path", "kept"), [("x/share", True), ("x/none/age", False)])
def test_a_passage_stands_where_its_number_is(path, kept):
    """Numbers of a passage that is left out are not looked for."""
    text = f'#if has("{path}") [Typed: 12. #number("{path}")] else {{ left-out("{path}") }}'
    assert typed_numbers(text) == (["12"] if kept else [])
    assert (("left out", path) in notes(report_of(text))) != kept
