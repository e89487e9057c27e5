"""May we: the gates that a signal passes, and the budget of orders."""
