"""Routes besides pages and tiles: verdicts, and the facts of places."""
