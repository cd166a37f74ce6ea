"""One visitor's session: what is open, its address, places under review."""
