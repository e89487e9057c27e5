"""RiskMonitor and the HardStop latch."""
