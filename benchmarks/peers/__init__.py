"""What one would use instead: one file per library."""
