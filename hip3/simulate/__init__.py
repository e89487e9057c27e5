"""Fault simulation: the whole service and the exchange's core in one thread, under a clock of its own.

A seed chooses everything: which thread runs next and where it is interrupted, what goes wrong, when the process is
killed. After every step what must always hold is checked (`invariants`); docs/simulation.md tells how to read it.
"""
