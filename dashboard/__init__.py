"""Needle's dashboard: the pages, the background jobs and the command line around the detector."""
