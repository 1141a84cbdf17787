"""What we keep: originals byte for byte, files derived from them, and the links that open one of them for a while."""
