"""The vocabulary: immutable values and the rules that need nothing but values."""
