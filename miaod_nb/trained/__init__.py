"""A trained detector in the hands of its user.

image_names: what prediction files call images, and which image they mean by it
prediction_files: detections as a file in COCO's results format, and back
weight_files: where a trained detector's weights lie, and what a file says of them
detector: a trained detector as its user holds it: loaded from a run
evaluating: a detector, or predictions written before, against the labels of an image list
predictions: what a detector finds in image files: pictures with boxes
"""
