"""What the canvas paints, one thing per module: grey image, saliency map, regions, marks, on-canvas texts."""
