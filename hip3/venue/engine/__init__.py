"""Books, accounts and rules: matching, margin, funding, liquidation. Pure."""
