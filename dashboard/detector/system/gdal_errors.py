"""The errors that GDAL and PROJ raise; rasterio lets some of them through under another name."""

from __future__ import annotations

from rasterio._err import CPLE_BaseError
from rasterio.errors import CRSError, RasterioError

# A full disk while overviews are built, a latitude beyond 90 degrees and a projection without an
# inverse come as CPLE_AppDefinedError, a coordinate system that is none as CRSError, neither of
# which is a RasterioError; names in a file that are no UTF-8 as what Python says of them.
GDAL_ERRORS: tuple[type[Exception], type[Exception], type[Exception], type[Exception]] = (
    RasterioError,
    CRSError,
    CPLE_BaseError,
    UnicodeDecodeError,
)


def reason(error: BaseException) -> str:
    """The first line of what a library said, without its full stop."""
    said = str(error.__cause__ or error).strip().splitlines()
    return said[0].strip().rstrip(".") if said else type(error).__name__
