"""Which images to label next: what a strategy is, one file a strategy, and the batch.

decisions: what people decided about the images that a cycle chose
features: what an image looks like to the detector, as one vector
k_center: k-center greedy: points that leave no other point far from all of them
k_medoids: k-medoids: points in the middle of clusters, from distances of few points
k_means: k-means: points in clusters around their means
protocol: what a strategy is: a card that describes it, what it sees in images, and what it chooses
batch: the batch of a cycle: what a strategy chooses when people have set some images aside
coreset: core-set: images that are farthest, for the detector, from all that are labeled
typicality: images that stand for many others, for the smallest budgets
outputs: what any detector says of an image, and strategies that need nothing else of it
entropy: images whose detections the detector is least sure of
least_confidence: images whose detections have low scores
margin: images with detections that could be one class or another
cdal: CDAL-CS: images that mix up classes in ways that no labeled image does
box_features: what a detector says of an image, and what each box looks like to it, as one row
matching_distance: how unlike images are, by the boxes that a detector finds in them
diverse: a second stage for any strategy: of the images that it wants most, those that differ
ppal: PPAL: images that are uncertain in classes that are hard, and unlike one another
badge: BADGE: images that would change the detector much, and in different ways
random: every image is equally likely; what the others are measured against
full: full supervision: every label at once, the ceiling
uncertainty: how uncertain the detector is about an anchor, and about an image
mi_aod: MI-AOD: images on whose anchors the two classifiers disagree most
registry: every strategy by its name: those of the package, and those that plugins bring
choosing: what stands in a cycle's selection.json: the images to label next, and why these
"""
