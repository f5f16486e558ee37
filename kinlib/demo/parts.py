"""What all tabs are made with: how a control calls a function of a visit, and the field for a photograph."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import gradio as gr

from kinlib.demo import markup
from kinlib.demo.limits import Limits
from kinlib.demo.uploads import UploadFolder
from kinlib.demo.visits import Visits
from kinlib.demo.words import plain
from kinlib.runtime.errors import KinlibError

__all__ = ["Parts", "html_part"]

FIELD_HEIGHT = 200  # px of an empty field for a photograph


@dataclass
class Parts:
    """What the tabs of one page share.

    Attributes:
        visits: the visitors' states.
        uploads: where their photographs arrive.
        limits: bounds.
        refine: steps of fitting a photograph's code, where that is wanted.
    """

    visits: Visits
    uploads: UploadFolder
    limits: Limits
    refine: int

    def wire(
        self,
        event,
        handler: Callable,
        inputs: Sequence,
        outputs: Sequence,
        picked: bool = False,
        last: bool = False,
        shown_on=None,
    ):
        """Have an event of a control call `handler(visit, *values)`, which returns the values of the outputs.

        Args:
            event: such as `button.click`.
            handler: gets the number that was clicked before the values if `picked`. What it refuses by a KinlibError is
                shown, and nothing changes.
            inputs, outputs: components.
            picked: the event is the `select` of a `gr.HTML` with `markup.ON_CLICK`.
            last: of events that come while one is answered, only the last counts: for sliders.
            shown_on: the component that shows the progress; None for none.

        Returns:
            gradio's dependency, for `then`.
        """

        def answer(request: gr.Request, event: gr.EventData, progress=gr.Progress(), *values):  # noqa: B008 (gradio's way)
            def report(text: str, share: float) -> None:
                progress(share, desc=text)

            try:
                with self.visits.use(request.session_hash, report) as visit:
                    answers = handler(visit, *((_index(event),) if picked else ()), *values)
                    return answers[0] if len(outputs) == 1 else answers
            except KinlibError as problem:
                raise gr.Error(plain(str(problem)), print_exception=False) from None

        return event(
            answer,
            list(inputs),
            list(outputs),
            api_visibility="private",
            concurrency_id="faces",
            concurrency_limit=self.limits.at_once,
            trigger_mode="always_last" if last else "once",
            show_progress="full" if shown_on else "hidden",
            show_progress_on=shown_on,
        )

    def photograph(self, label: str, name: str) -> gr.Image:
        """A field for a photograph: a file, the camera, or the clipboard; its value is the path of the upload."""
        field = gr.Image(
            label=label,
            type="filepath",
            sources=["upload", "webcam", "clipboard"],
            height=FIELD_HEIGHT,
            elem_id=name,
            elem_classes="kin-photo",
            buttons=[],
        )
        # gradio would open the file here; whatever is wrong with it, `kinlib.io.photos` says in a sentence.
        field.preprocess = lambda payload: None if payload is None else payload.path
        return field


def html_part(content: str, **options) -> gr.HTML:
    """A part of the page that is HTML of `kinlib.demo.markup`; its `select` is a click on one of its choices."""
    return gr.HTML(content, apply_default_css=False, js_on_load=markup.ON_CLICK, **options)


def _index(event: gr.EventData) -> int:
    data = event._data
    index = data.get("index") if isinstance(data, dict) else None
    if isinstance(index, bool) or not isinstance(index, int) or index < 0:
        raise KinlibError("that click cannot be understood: load the page again")
    return index
