"""What all lip-reading recipes share."""
