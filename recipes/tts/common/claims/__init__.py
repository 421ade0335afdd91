"""What recipes of claims share: finished runs, speaking with them, timing them, and the table with its page."""
