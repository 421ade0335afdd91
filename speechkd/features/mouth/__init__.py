"""From a film to the pictures of a mouth: reading, tracking, cropping, and previews to look at."""
