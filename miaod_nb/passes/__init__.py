"""A detector over many images: resumable work, detections and scores."""
