"""What a cycle's detector says of single anchors: kept in the run folder, read without a model."""
