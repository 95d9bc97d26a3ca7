"""What a radiograph's view is made of: what is on screen, its painting, and the tools that change it."""
