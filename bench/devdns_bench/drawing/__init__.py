"""Reports that come out the same byte for byte: vector figures, LaTeX tables, and one HTML page that holds them all.

The bench and the study share it. Nothing here knows what is drawn; nothing reads a clock or the machine's fonts.
"""
