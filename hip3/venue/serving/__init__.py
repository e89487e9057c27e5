"""Sockets' side: requests and messages in, frames out, limits of an address, faults."""
