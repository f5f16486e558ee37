"""Editing codes judged by networks that see pictures, and the student report's experiment with regressors on codes.

| module | |
|---|---|
| `readers` | attributes of pictures, and how reliable their readers are |
| `rescoring` | what an edit changes: its target, all other attributes, identity |
| `latent_models` | regressors and classifiers of attributes on codes, evaluated on held-out families |
| `strengths` | strengths of edits optimised towards a real child, and how alike children become |
"""
