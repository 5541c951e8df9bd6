"""A trained detector in the hands of its user.

- weight_files: where weights lie, and what a file says of them: ours or the authors'
- detector: a detector that is loaded, saved and asked about images
- predictions: what it finds in image files: pictures with boxes, a prediction file and a table
- prediction_files: detections in COCO's results format, and back
- evaluating: a detector, or predictions, against the labels of an image list
"""
