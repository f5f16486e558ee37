"""The page as a whole: its head, its tabs, what it says of itself."""

import gradio as gr

from kinlib.demo.child_tab import ChildTab
from kinlib.demo.edits_tab import EditsTab
from kinlib.demo.genes_tab import GenesTab, has_genes
from kinlib.demo.parts import Parts
from kinlib.demo.search_tab import SearchTab, has_search

__all__ = ["TABS", "TITLE", "build_page", "look"]

TABS = ("children", "genes", "edits", "search")
TITLE = "kinlib: children of two faces"
HEAD = """
# Children of two faces
Two parents in, faces of children that they could have out. A synthesised face is no genetic test and predicts nobody.
"""
PRIVACY = """
Photographs stay on this machine, in memory, and are dropped when this page is closed or loaded again. Only use
photographs of people who have agreed. Never depict real children, and never deceive with what you make.
"""


def build_page(parts: Parts, begin: str = "children") -> gr.Blocks:
    """The page, not yet started.

    Args:
        parts: of which it is made.
        begin: the tab that is open at first, one of `TABS`.
    """

    def left(request: gr.Request) -> None:
        parts.visits.end(request.session_hash)

    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.Markdown(HEAD)
        with gr.Tabs(elem_id="kin-tabs", selected=begin):
            with gr.Tab("Children", id="children"):
                ChildTab(parts)
            if has_genes(parts.visits.kin):
                with gr.Tab("Facial genes", id="genes") as tab:
                    GenesTab(parts, tab)
            with gr.Tab("Edit a face", id="edits") as tab:
                EditsTab(parts, tab)
            if has_search(parts.visits.kin):
                with gr.Tab("Search for a face", id="search") as tab:
                    SearchTab(parts, [tab.select, *([page.load] if begin == "search" else [])])
        gr.Markdown(PRIVACY)
        page.unload(left)
    return page


def look() -> dict:
    """How the page looks, for `launch`: fonts of the visitor's system, because nothing is fetched."""
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Liberation Sans", "sans-serif"]
    mono = ["ui-monospace", "Menlo", "Consolas", "Liberation Mono", "monospace"]
    theme = gr.themes.Default(primary_hue="blue", font=fonts, font_mono=mono).set(
        # gradio's grey for further words is too pale to read (WCAG asks for a contrast of 4.5)
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
    )
    return {"theme": theme, "css_paths": __file__.replace("page.py", "page.css")}
