"""What models find in scenes whose truth is known, and what it costs to review."""
