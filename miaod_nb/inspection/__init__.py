"""What a cycle's detector says of single anchors and images, for people who look closely.

inspected: which images of a cycle are looked at closely: the most uncertain
asking: asking a cycle's detector about images of the pool
maps: values of anchors as a picture, and the anchors whose values are highest
values: the values of every anchor of an image: computed with a detector, kept as arrays
seeing: what a trained detector sees in one image: what the notebooks draw
table: the table of a cycle's inspected images: what each would score by other rules
anchor_values: the values of anchors of a cycle's images, each image in a file of the run folder
features: what images look like to the detector: a map of a cycle's images, and pairs of them
reasons: why an image was chosen, in words; and what a batch shows, against what is labeled
replay: the batch that other rules would have chosen, from the table of a cycle's inspected images
some_images: the values of a few images that are named, also of a detector that is still in training
otherwise: what other strategies would have chosen in a cycle, with the detector that it has
"""
