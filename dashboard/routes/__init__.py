"""Routes besides pages: tiles, places, verdicts, and files to take away."""
