"""What an instance is read as: its pieces, filled and rendered as one document.

    filled pieces → Document → manuscript (tokens) → page, PDF, Word, Markdown, JSON

`formats` knows the formats and renders one; `renderer` does so without holding up the service.
"""
