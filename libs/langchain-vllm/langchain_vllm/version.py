"""The version of this package, which traces carry."""

__version__ = "0.1.0"
