"""A detector at work on many images.

- image_pass: one pass over images, shard by shard, which is cut off and goes on
- inference: the boxes that a detector finds, and what else is asked of it
- kept_detections: those of a cycle in the evaluated images, on the way and in the end
- observing: what a strategy sees in a batch, checked
- scoring: what a strategy sees in the pool, a table in shards
"""
