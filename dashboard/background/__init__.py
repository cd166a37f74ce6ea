"""What is worked at while the pages are served."""
