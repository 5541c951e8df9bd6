"""What people say about chosen images.

reviewing: the review of a batch: what people decide about the images that a cycle chose is applied
"""
