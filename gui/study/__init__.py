"""Windows of reader studies: setting one up, reading, coordinating, results. Imported when they are opened."""
