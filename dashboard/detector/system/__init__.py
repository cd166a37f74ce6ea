"""The machine under the method: files, locks, memory, threads."""
