"""What differs between two runs, estimate by estimate, and what it is due to."""
