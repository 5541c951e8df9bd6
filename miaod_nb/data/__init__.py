"""Images and boxes of every layout as one kind of record, which of them are labeled, and batches.

Rooms, each using only those before it: `records`, `voc`, `coco_file`, `coco`, `sources`, `files`,
`annotations`, `pool`, `transforms`, `plans`, `batches`. Apart stand `toy`, which draws images, and
`download`, which fetches them.
"""
