"""What a radiograph is. No Qt, no torch."""
