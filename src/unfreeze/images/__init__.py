"""Images as pixels: decoding in child processes, geometry; knows no network and no label."""
