"""Work in the background, while the pages are served."""
