"""From sigmas to ranked places: suppression, chances, artefacts, size."""
