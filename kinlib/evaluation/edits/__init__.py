"""Edits of codes and of pictures, judged by networks that see pictures and by the true edits of rendered people.

| module | |
|---|---|
| `readers` | attributes of pictures, and how reliable their readers are |
| `rescoring` | what an edit changes: its target, all other attributes, identity |
| `latent_models` | regressors and classifiers of attributes on codes, evaluated on held-out families |
| `true_edits` | pairs before and after a true edit, and errors against them |
| `methods` | ways to edit compared on the same pairs: accuracy, preservation, and whose skin changes its tone |
| `strengths` | strengths of edits optimised towards a real child, and how alike children become |
"""
