"""Signed requests in: who may act, and what each action does."""
