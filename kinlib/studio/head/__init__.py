"""The head model ICT-FaceKit: download, conversion, and the arrays that the studio uses.

Open `model` first: `HeadModel` documents the arrays, `load_head` finds or fetches them.
"""
