"""Who asks: people, their sessions and keys, and what each may do."""
