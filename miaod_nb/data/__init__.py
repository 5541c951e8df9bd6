"""Images and, apart from them, labels; which images are labeled; batches of both.

download: the VOC data of the authors' experiments
records: what is known of an image, and the faults met on the way to it and its objects
upright: photos as people see them: what their EXIF entry says of how a camera was held
images: image files: which are read, what is found in them, and how they become pixels
checked: what was found in images before, so that unchanged files need not be decoded again
layouts: one file a data layout: which images a folder names, and what its labels say
pool: which images are labeled: the index sets of every cycle, as the authors' code draws them
transforms: images and boxes resized, flipped, cropped and shrunk together: pure functions
plans: which images form each batch, in training and in inference
sources: data folders as image records; no image's labels are read here
batches: batches of images, with targets or without, and the loaders that make them of a plan
cache: decoded images kept for the next epoch, in one file that every process maps into its memory
files: image files that belong to no data set, as image records
labels: annotations as objects, and the oracle: the one reader of the pool's labels
"""
