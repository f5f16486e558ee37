"""The report: `report/report.typ`, set by Typst from figures and numbers that notebooks have stored.

sources   what the report is made of, and everything that is wrong with it
prose     finds numbers that somebody has typed
exports   numbers of the bundled data and networks, which no notebook computes
build     from the sources to `report/report.pdf`
"""
