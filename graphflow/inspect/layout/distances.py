"""The distances of drawings, in pixels; the page of `to_html` is handed all of them by name."""

NODE_GAP, BEND_GAP = 26.0, 12.0
"""Between neighbours of a row: two boxes; a box or a bend and a bend."""

BEND_WIDTH = 6.0
"""The width of a bend, where a tensor passes a row."""

ROW_GAP, PORT_GAP = 26.0, 16.0
"""Between two rows; between a row and one that only holds the tensors of a group's border."""

SLANT, MOST_SLANT = 0.045, 70.0
"""What is added to the gap of rows for each pixel that a line goes to the side, and the most that is added."""

BAND_GAP = 46.0
"""Between two bands."""

BAND_LEAST, BAND_SHAPE = 1500.0, 0.7
"""The least length of a full band; of a longer drawing, the part of its area that the square of a band's length is."""

BAND_SPARE, BAND_BEGUN = 1.3, 0.25
"""Rows of up to so many full bands stay in one; a band is ended from this part of `BAND_LEAST` on."""

HEADER, PADDING = 26.0, 14.0
"""The title of an open group, and what is kept free inside its frame."""

MARGIN = 24.0
"""Around the whole drawing."""
