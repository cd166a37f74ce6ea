"""What the method needs of the machine: files, locks, memory, threads."""
