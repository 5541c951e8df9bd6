"""What people say about chosen images: in a review, and by labels that a label tool gives back.

exchange: what goes out to a label tool and what comes back, in the terms of no tool
names: which image of a run a label tool means, whatever it made of the file's name
export: one file a label tool: how a batch is written for it
ingest: one file a label tool: what its files say of images
agreement: what people made of the boxes that a detector suggested
doubts: labels of an image that its predictions speak against
doubt_table: doubts about labels as rows of a table, in words and numbers
reviewing: the review of a batch: what people decide about the images that a cycle chose is applied
exporting: a batch for a label tool, with the boxes that the cycle's detector suggests
checking: the labels of a run, compared with what detectors find that were not trained on them
history: every image's story in one table
imports: the imports of a run as its ledger has them, and how one is taken back
importing: labels that come back: checked, compared with what was suggested, and merged
drawing: a batch that people label in the notebook itself
"""
