"""The whole service in one thread under its own clock: what the simulation, the tests and replay drive."""
