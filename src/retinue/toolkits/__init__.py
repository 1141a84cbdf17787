"""Is every tool here? Tools and kits, checking a kit by a picture, handing it out and taking it back."""
