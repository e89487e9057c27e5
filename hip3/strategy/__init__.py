"""What we would like to do: pure functions and folds over snapshots."""
