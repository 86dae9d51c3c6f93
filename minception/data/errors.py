"""What can go wrong with data sets, one exception for each thing that a caller would do something different about."""


class DataError(Exception):
    """Base of every error about finding, fetching or reading a data set."""


class DatasetNotFoundError(DataError, FileNotFoundError):
    """The folder holds no data set in a known layout, or one that lacks files."""


class CorruptDataError(DataError, ValueError):
    """A data file is damaged or is not what its name says. The message names the file."""


class ForbiddenPickleError(CorruptDataError):
    """A pickle asks for something that no CIFAR file needs. Nothing that it asked for was run."""


class DownloadError(DataError):
    """Base of every error of a download."""


class NetworkUnavailableError(DownloadError):
    """The server cannot be reached, or the connection stalled or broke and did not come back."""


class ServerError(DownloadError):
    """The server was reached and answered with an error; `status` is the HTTP status code."""

    def __init__(self, message, status):
        super().__init__(message)
        self.status = status


class CorruptDownloadError(DownloadError):
    """The bytes that arrived are not the expected ones (checksum or size)."""


class DownloadDiskError(DownloadError):
    """The download cannot be stored: no permission, no space, no file locks."""
