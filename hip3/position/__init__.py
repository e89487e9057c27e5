"""What we hold and how it ends: orders, fills, positions, exits."""
