"""A first plan from hospital files: guesses, each marked as one."""
