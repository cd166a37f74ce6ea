"""Picture files as they come: formats, limits, pixels; the HiRISE archive."""
