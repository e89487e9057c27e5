"""Info requests and streams out."""
