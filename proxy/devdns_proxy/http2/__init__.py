"""What both sides of HTTP/2 have in common: the bytes of frames, field compression, field sections in pieces, and the bound on idle talk."""
