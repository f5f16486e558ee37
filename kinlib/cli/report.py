"""`kinlib report`: the report from stored figures and numbers."""

from dataclasses import dataclass
from pathlib import Path

from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

__all__ = ["ReportCommand"]


@dataclass(kw_only=True)
class ReportCommand:
    """Build the report from the figures and numbers that the notebooks have stored."""

    out: Path | None = None
    """PDF to write; report/report.pdf by default"""
    pages: Path | None = None
    """folder for the pages as PNG, instead of a PDF"""

    def run(self) -> None:
        if self.out is not None and self.pages is not None:
            raise KinlibError("choose one of --out, for a PDF, and --pages, for a folder of pictures")
        if self.out is not None and self.out.suffix.lower() != ".pdf":
            raise KinlibError(f"'{self.out}' does not end in .pdf: choose another name for the report")
        from kinlib.report import build, checks, exports
        from kinlib.report.sources import read_sources, report_folder

        root = config.project_root()
        report_folder(root)  # before anything is written
        exports.export()
        if self.pages is not None:
            print(f"wrote {len(build.build_pages(self.pages))} pages into {self.pages}")
        else:
            print(f"wrote {build.build(self.out)}")
        for lacking in checks.left_out(read_sources(root)):
            print(f"left out: a passage that needs {lacking}, which its notebook has not stored")
