"""Every error the detector raises on purpose.

    NeedleError
    ├── SceneError           a picture cannot be used
    │   ├── SceneNotFound    there is no such local file
    │   ├── UnknownFormat    of no known format, or an unsupported layout of bands
    │   ├── DamagedScene     the file breaks off or does not decode
    │   ├── SceneTooLarge    more bytes than the limit allows
    │   └── NoGround         nothing in it can be scored: too small, or all nodata
    ├── ModelError           a .onnx file or its card cannot be used
    ├── DeviceError          the device asked for is not there
    ├── FetchError           a product cannot be had from its archive
    ├── OptionError          an option has no sensible meaning
    └── StoreError           stored scores or results cannot be read or written

The message is one line: what was got, what is needed, what to do.
"""


class NeedleError(Exception):
    """Something the user can act on; its message is one clear line."""


class SceneError(NeedleError):
    """A picture cannot be used."""


class SceneNotFound(SceneError):
    """There is no such local file."""


class UnknownFormat(SceneError):
    """The file is no picture of a supported format or layout."""


class DamagedScene(SceneError):
    """The file breaks off or does not decode."""


class SceneTooLarge(SceneError):
    """The picture declares more bytes than the limit allows."""


class NoGround(SceneError):
    """Nothing in the picture can be scored."""


class ModelError(NeedleError):
    """A .onnx file or its card cannot be used."""


class DeviceError(NeedleError):
    """The device asked for is not there."""


class FetchError(NeedleError):
    """A product cannot be had from its archive."""


class OptionError(NeedleError):
    """An option has no sensible meaning."""


class StoreError(NeedleError):
    """Stored scores or results cannot be read or written."""


def unwritable(folder: object, error: Exception) -> StoreError:
    """That a folder of Needle's own cannot be written, and why."""
    (reason, *_) = str(error.__cause__ or error).splitlines() or [type(error).__name__]
    return StoreError(f"{folder}: cannot be written; make room or set NEEDLE_HOME ({reason})")
