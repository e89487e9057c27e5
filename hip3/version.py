"""The version, in its one place: what `status`, logs and the installed package say."""

__version__ = "0.1.0"
