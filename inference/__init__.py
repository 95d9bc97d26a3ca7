"""What the CNN says about one hip in one radiograph. No Qt."""
