"""What an account did, told from its journal: figures as JSON, and one page with pictures that needs no network."""
