"""Images and boxes of every layout as one kind of record, which of them are labeled, and batches.

Each module uses only those before it: `records`, `upright` (EXIF), `layouts` (a file each: `voc`,
`coco_file`, `coco`), `checked`, `sources` (images of a data set), `layouts.files` (those of none),
`labels` (the oracle), `pool`, `transforms`, `plans`, `cache`, `batches`. Apart stands `download`.
"""
