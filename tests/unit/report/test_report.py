"""The report builds, always to the same bytes, and says in one sentence what is missing, stale or orphaned."""

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path

import check_report
import pytest
from PIL import Image

from kinlib import cli
from kinlib.report import build, exports, typesetting
from kinlib.report.checks import left_out, problems
from kinlib.report.sources import read_sources
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

ROOT = config.project_root()
FONTS = ("Libertinus", "NewCM", "NewComputerModern", "DejaVuSansMono")  # that come with Typst
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="60" height="20"><rect width="60" height="20" fill="navy"/></svg>'
MAIN = """#import "template.typ": *
#show: report.with(title: "T", subtitle: "S", edition: datetime(year: 2026, month: 1, day: 2), abstract: [A.])
#include "chapters/1.typ"
"""
CHAPTER = """#import "../template.typ": *
= One <sec:one>
#by("fang2013") counted #theirs("fang2013")[206], we #number("07_blending/houses/all"), a share of
#percent("07_blending/share", digits: 1) at #setting("07_plot", "score") @casey2025.
See @fig:07_plot, @fig:07_grid and @tab:one in @sec:one.
#picture("07_plot", [A plot.])
#picture("07_grid", [A grid.], width: 20%)
#tabled(ruled(head: ([a], [b]), [houses], number("07_blending/houses/all")), [One.], from: "07_blending") <tab:one>
#holds(value("07_blending/share") < 1, "a share is below one")
"""
BIBLIOGRAPHY = """@misc{fang2013, author = {Fang, R.}, title = {Kin}, year = {2013}}
@misc{casey2025, author = {Casey, J.}, title = {Repro}, year = {2025}}
"""
NUMBERS = {"houses": {"all": 1234}, "share": 0.625}


def store(root: Path, name: str, content: bytes) -> None:
    """A figure and its entry in the manifest."""
    folder = root / "figures"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text()) if path.exists() else {}
    digest = hashlib.sha256(content).hexdigest()
    manifest[name] = {"notebook": "07_blending", "parameters": {"score": 0.9}, "sha256": digest}
    path.write_text(json.dumps(manifest))


@pytest.fixture
def project(tmp_path):
    """A small checkout with a report of one chapter, without a problem."""
    root = tmp_path / "project"
    for folder in ("report/chapters", "report/numbers", "notebooks"):
        (root / folder).mkdir(parents=True)
    shutil.copy(ROOT / "report" / "template.typ", root / "report")
    (root / "report" / "report.typ").write_text(MAIN)
    (root / "report" / "chapters" / "1.typ").write_text(CHAPTER)
    (root / "report" / "references.bib").write_text(BIBLIOGRAPHY)
    (root / "report" / "numbers" / "07_blending.json").write_text(json.dumps(NUMBERS))
    source = [
        'figures.save("07_plot", fig)\n',
        'figures.save("07_grid", fig)\n',
        'figures.save_numbers("07_blending", n)',
    ]
    cells = [{"cell_type": "markdown", "source": "# 07"}, {"cell_type": "code", "source": source}]
    (root / "notebooks" / "07_blending.ipynb").write_text(json.dumps({"cells": cells}))
    store(root, "07_plot.svg", SVG)
    picture = tmp_path / "grid.png"
    Image.linear_gradient("L").save(picture)
    store(root, "07_grid.png", picture.read_bytes())
    return root


def edit(root: Path, old: str, new: str, name: str = "report/chapters/1.typ") -> None:
    """Replace the one place of `old` in a file."""
    path = root / name
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def change(root: Path, name: str, **entries) -> None:
    """Change entries of a JSON file; None removes."""
    path = root / name
    kept = json.loads(path.read_text()) | entries
    path.write_text(json.dumps({key: value for key, value in kept.items() if value is not None}))


def test_a_sound_report_builds_twice_to_the_same_bytes(project, tmp_path):
    assert problems(read_sources(project)) == []
    first, second = (build.build(tmp_path / name, project).read_bytes() for name in ("a.pdf", "b.pdf"))
    assert first == second
    assert first.startswith(b"%PDF")
    assert not build.is_current(project)
    build.build(root=project)
    assert build.is_current(project)


def without_file(name: str):
    """A damage: a file that is gone."""
    return lambda root: (root / name).unlink()


def swapped(old: str, new: str, name: str = "report/chapters/1.typ"):
    """A damage: other words in a file."""
    return lambda root: edit(root, old, new, name)


def before_all(code: str):
    """A damage: a line before the chapter's title."""
    return swapped("= One", f"{code}\n= One")


def numbers_with(**entries):
    """A damage: other numbers."""
    return lambda root: change(root, "report/numbers/07_blending.json", **entries)


MANIFEST = "figures/manifest.json"
NOTEBOOK = "notebooks/07_blending.ipynb"
DAMAGE = {
    "number file": (
        without_file("report/numbers/07_blending.json"),
        r"07_blending\.json is not there: run notebook 07",
    ),
    "number": (numbers_with(share=None), r"07_blending\.json has no number '07_blending/share': run notebook 07"),
    "figure": (without_file("figures/07_plot.svg"), r"figures/07_plot\.svg is not there: run notebook 07"),
    "figure's entry": (
        lambda root: change(root, MANIFEST, **{"07_grid.png": None}),
        r"the figure '07_grid', which no notebook has stored: run notebook 07",
    ),
    "stale figure": (
        lambda root: (root / "figures/07_plot.svg").write_bytes(SVG + b"\n"),
        r"07_plot\.svg is not what figures/manifest\.json says that its notebook stored: run notebook 07_blending",
    ),
    "orphaned figure": (swapped("07_plot", "07_other", NOTEBOOK), r"figures/07_plot\.svg is orphaned"),
    "orphaned numbers": (swapped("save_numbers", "print", NOTEBOOK), r"07_blending\.json is orphaned"),
    "typed number": (swapped("A grid.", "A grid of 12."), r"section 1 of the report has the number 12 typed by hand"),
    "semicolon": (swapped("A grid.", "A #emph[grid]; done."), r"1\.typ:7 has a semicolon behind a bracket"),
    "unknown source": (swapped("@casey2025", "@suri2018"), r"refers to 'suri2018', which is neither"),
    "unknown source of a quotation": (swapped('theirs("fang2013")', 'theirs("suri2018")'), r"cites 'suri2018', which"),
    "uncited source": (swapped(" @casey2025", ""), r"has 'casey2025', which nothing cites"),
    "figure unspoken of": (swapped("@fig:07_grid and ", ""), r"fig:07_grid, but no sentence refers to it"),
    "table unspoken of": (swapped("and @tab:one ", ""), r"tab:one, but no sentence refers to it"),
    "notebook": (before_all('#notebook("08_no")'), r"names the notebook 08_no, which does not"),
    "package": (before_all('#import "@preview/x:1.0.0": y'), r"imports @preview/x:1.0.0 from the network"),
    "setting": (
        swapped('"score"', '"limit"'),
        r"names the setting 'limit' of '07_plot', which was not stored with it",
    ),
    "claim": (numbers_with(share=1.5), r"no longer bear out that a share is below one: rewrite"),
    "computed path": (before_all('#number("07_blending/" + "gone")'), r"no number '07_blending/gone'"),
    "Typst's grammar": (before_all("#number("), r"Typst cannot set the report: "),
    "unknown label": (swapped("in @sec:one", "in @sec:two"), r"refers to 'sec:two', which is neither a label nor"),
    "no report": (without_file("report/report.typ"), r"there is no report to build"),
    "damaged numbers": (
        lambda root: (root / "report/numbers/07_blending.json").write_text("{"),
        r"07_blending\.json' cannot be read: run the notebooks",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_whatever_is_wrong_is_told_in_one_sentence(kind, project, tmp_path, monkeypatch, capsys):
    """... with exit code 2, and no PDF is written."""
    damage, words = DAMAGE[kind]
    damage(project)
    with pytest.raises(KinlibError, match=words) as caught:
        build.build(tmp_path / "a.pdf", project)
    assert "\n" not in str(caught.value)
    monkeypatch.setattr(config, "project_root", lambda: project)
    monkeypatch.setattr(exports, "export", lambda: None)
    assert cli.main(["report", "--out", str(tmp_path / "a.pdf")]) == 2
    told = capsys.readouterr().err
    assert re.search(words, told) and told.count("\n") == 1
    assert not (tmp_path / "a.pdf").exists()


def test_several_problems_are_counted(project):
    (project / "figures/07_plot.svg").unlink()
    edit(project, "A grid.", "A grid of 12.")
    with pytest.raises(KinlibError, match=r"07_plot\.svg.*\(1 more: python tests/checks/check_report\.py\)"):
        build.build(root=project)


def test_pages_are_drawn(project, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(config, "project_root", lambda: project)
    monkeypatch.setattr(exports, "export", lambda: None)
    assert cli.main(["report", "--pages", str(tmp_path / "deep" / "pages")]) == 0
    (page, *others) = sorted((tmp_path / "deep" / "pages").iterdir())
    assert page.name == "page-01.png" and f"wrote {1 + len(others)} pages" in capsys.readouterr().out
    with Image.open(page) as picture:
        assert picture.height > picture.width > 800 and len(picture.getcolors(2**24)) > 2
    assert not build.report_path(project).exists()


def test_where_there_is_no_report_nothing_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KINLIB_DATA", str(config.data_dir()))
    monkeypatch.setattr(config, "project_root", lambda: tmp_path)
    assert cli.main(["report"]) == 2
    assert "there is no report to build" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_without_typst_a_sentence_says_so(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(KinlibError, match="Typst is not installed: run `make setup`"):
        build.build(root=project)


def test_every_change_of_a_source_makes_the_report_stale(project):
    changes = (
        lambda: change(project, "report/numbers/07_blending.json", share=0.5),
        lambda: edit(project, "A plot.", "One plot."),
        lambda: edit(project, "Kin}", "Kinship}", "report/references.bib"),
        lambda: store(project, "07_plot.svg", SVG + b"\n"),
        lambda: edit(
            project, '"07_grid.png": {"notebook": "07_blending"', '"07_grid.png": {"notebook": "07"', MANIFEST
        ),
    )
    for make_change in changes:
        build.build(root=project)
        assert build.is_current(project)
        make_change()
        assert not build.is_current(project)


def test_a_passage_whose_number_is_lacking_is_left_out_with_its_figure(project, tmp_path, monkeypatch, capsys):
    """... and the command says so."""
    (project / "report/chapters/1.typ").open("a").write(
        '#if has("07_blending/later/0") [\n'
        '  See @fig:07_later: #number("07_blending/later/0").\n'
        '  #picture("07_later", [Later.])\n'
        '] else { left-out("07_blending/later/0") }\n'
    )
    assert left_out(read_sources(project)) == ["07_blending/later/0"]
    monkeypatch.setattr(config, "project_root", lambda: project)
    monkeypatch.setattr(exports, "export", lambda: None)
    assert cli.main(["report", "--out", str(tmp_path / "a.pdf")]) == 0
    assert "left out: a passage that needs 07_blending/later/0" in capsys.readouterr().out
    change(project, "report/numbers/07_blending.json", later=[1])
    with pytest.raises(KinlibError, match="'07_later', which no notebook has stored"):
        build.build(tmp_path / "a.pdf", project)


def query(root: Path, selector: str) -> list[dict]:
    """Elements of the report as Typst typesets it."""
    return json.loads(typesetting._run(read_sources(root).files, {}, lambda compiler: compiler.query(selector)))


def words_of(node) -> str:
    """The text in a part of a queried element."""
    if isinstance(node, list):
        return "".join(map(words_of, node))
    if not isinstance(node, dict):
        return ""
    if node.get("func") == "space":
        return " "
    parts = (node.get(name) for name in ("body", "child", "children"))
    return str(node.get("text", "")) + "".join(map(words_of, parts))


def test_numbers_are_written_as_readers_expect(project):
    change(project, "report/numbers/07_blending.json", small=-0.0004, loss=-1234567.891, whole=3.0, near=2.9996)
    edit(
        project,
        "= One",
        '#metadata((number("07_blending/houses/all"), number("07_blending/loss", digits: 1), '
        'number("07_blending/whole"),'
        'number("07_blending/small", digits: 2), number("07_blending/near", digits: 3), percent("07_blending/share"),'
        'number("07_blending/near", digits: 2), computed(2 / 3), computed-percent(1 / 8, digits: 1))) <all>\n= One',
    )
    (found,) = query(project, "<all>")
    assert found["value"] == ["1,234", "−1,234,567.9", "3", "0.00", "3.000", "63%", "3.00", "0.67", "12.5%"]


def test_the_report_is_in_order_and_made_from_what_lies_here():
    """Mend with `kinlib report`, which says what else is wrong."""
    assert check_report.check() == []


def test_the_numbers_of_bundled_data_are_those_of_the_data(tmp_path, monkeypatch):
    """Mend with `kinlib report`."""
    monkeypatch.setenv("KINLIB_DATA", str(config.data_dir()))
    monkeypatch.setattr(config, "project_root", lambda: tmp_path)
    stored = ROOT / "report" / "numbers" / "studio.json"
    assert json.loads(exports.export().read_text()) == json.loads(stored.read_text())


def test_missing_sets_are_told(tmp_path):
    with pytest.raises(KinlibError, match="missing or damaged: run `kinlib render --families`"):
        exports.bundled_numbers(tmp_path)


def test_the_command_builds_the_report(tmp_path, monkeypatch, capsys):
    """... with fonts that come with Typst, none of the machine's."""
    monkeypatch.setattr(exports, "export", lambda: None)
    out = tmp_path / "deep" / "report.pdf"
    assert cli.main(["report", "--out", str(out)]) == 0
    assert "wrote" in capsys.readouterr().out
    pdf = out.read_bytes()
    assert (b"sources " + read_sources(ROOT).digest().encode()) in pdf
    fonts = {name.decode().partition("+")[2] or name.decode() for name in re.findall(rb"/BaseFont\s*/([\w+-]+)", pdf)}
    assert fonts and all(font.startswith(FONTS) for font in fonts), fonts


def test_every_caption_names_its_notebook_and_every_figure_is_shown():
    figures = query(ROOT, "figure.where(kind: image)")
    assert len(figures) > 10
    names = [figure["label"].strip("<>").removeprefix("fig:") for figure in figures]
    texts = "".join(read_sources(ROOT).texts().values())
    assert sorted(names) == sorted(set(re.findall(r'\bpicture\(\s*"([^"]*)"', texts)))
    for name, figure in zip(names, figures, strict=True):
        assert words_of(figure["caption"]).endswith(f"(notebook {name[:2]})")


@pytest.mark.parametrize("chapter", sorted(path.name for path in (ROOT / "report" / "chapters").glob("*.typ")))
def test_a_number_typed_into_any_chapter_is_found(chapter, tmp_path):
    """In the middle of its prose and at its end: nothing in the chapter hides it."""
    for folder in ("report", "figures", "notebooks"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    path = tmp_path / "report" / "chapters" / chapter
    text = path.read_text()
    middle = text.index("\n\n", len(text) // 2) if "\n\n" in text[len(text) // 2 :] else len(text)
    path.write_text(text[:middle] + "\n\nIn 4711 cases.\n" + text[middle:] + "\nIn 4712 cases.\n")
    found = [problem for problem in problems(read_sources(tmp_path)) if "typed by hand" in problem]
    assert [re.search(r"number (\d+)", one)[1] for one in found] == ["4711", "4712"]
