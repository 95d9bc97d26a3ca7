"""What readers say, and what it amounts to. No Qt, no torch, no inference."""
