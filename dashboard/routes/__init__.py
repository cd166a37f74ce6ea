"""What the server answers besides pages and tiles: verdicts, and what is known of places."""
