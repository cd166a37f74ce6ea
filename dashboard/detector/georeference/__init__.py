"""Where on which body a pixel lies."""
