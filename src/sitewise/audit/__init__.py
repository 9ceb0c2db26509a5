"""Hashes, receipts, the manifest. Never knows what a file means."""
