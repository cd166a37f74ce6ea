"""Rules by which a score becomes a sigma."""
