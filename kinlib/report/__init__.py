"""The report: `report/report.typ`, typeset by Typst from the figures and numbers that notebooks have stored.

The template, `report/template.typ`, reads numbers and figures and refuses those that are missing. Python does what
Typst cannot: it compares files with their recorded checksums, looks into notebooks, and reads the bundled data.

sources       the files of one build, read once, and their digest
typesetting   runs Typst on them
checks        missing, stale or typed numbers and figures, citations, cross-references
build         `report/report.pdf`, or pages as PNG
exports       numbers of the bundled data and networks, which no notebook computes
"""
