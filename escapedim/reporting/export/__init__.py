"""Reports as files: figures, one self-contained HTML page, Markdown, and CSV."""
