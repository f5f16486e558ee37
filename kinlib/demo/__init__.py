"""The web page, `kinlib demo`: children of two photographs, facial genes, edits and a search for a face, by clicks.

Bound to 127.0.0.1 and never shared; nothing is fetched from elsewhere. The page is made by gradio, which is imported
where a function needs it: everything else of the package works without.

| module | |
|---|---|
| `server` | starts the page and everything around it |
| `page`, `child_tab`, `genes_tab`, `edits_tab`, `search_tab` | layout, and what its controls do |
| `edit_ways` | the two ways of the tab of edits: by the code, within an attention mask |
| `visits` | one state for each visitor, and its end |
| `uploads` | photographs between the browser and a visit: a private folder that stays empty |
| `limits` | how much of everything |
| `headers` | what a browser may do with the page |
| `markup`, `words`, `made` | pictures as HTML, notes in plain words, "how it was made" |
"""
