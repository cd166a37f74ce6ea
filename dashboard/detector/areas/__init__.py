"""Areas of interest: from files of polygons to positions that are scored."""
