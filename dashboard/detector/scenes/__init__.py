"""From a picture file to a scene: pixels, nodata, statistics, geography."""
