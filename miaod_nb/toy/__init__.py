"""Generated images with every kind of difficulty.

shapes: the drawings of the toy data set: grounds, animals and clutter of a tide pool
scenes: scenes of the toy data set: what lies where in a tide pool, and the photos taken of it
toy: the toy data set: tide pools seen from above, drawn from a seed into a VOC year folder
"""
