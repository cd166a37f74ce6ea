"""Strange input: pictures, models, tables, areas and addresses, each tried in a child process."""
