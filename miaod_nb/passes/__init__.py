"""A detector over many images: resumable work, detections and scores.

image_features: what images look like to a network that knows ImageNet, before any detector
image_pass: one pass of a detector over many images, shard by shard, which is cut off and goes on
inference: a trained detector at work: the boxes that it finds in images
kept_detections: what a cycle's detector finds in the evaluated images: on the way
observing: what a strategy sees in the images of a batch, checked to be what its card promises
scoring: what a strategy sees in a cycle's images: tables in shards
"""
