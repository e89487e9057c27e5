"""Sockets, limits of an address, faults."""
