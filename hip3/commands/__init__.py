"""The commands that are not the service itself, one file each."""
