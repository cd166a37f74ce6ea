"""What the ground of a scene looks like."""
