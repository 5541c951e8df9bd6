"""One file a data layout: which images a folder names, and what its labels say.

coco_file: a COCO annotation file, checked: its images and classes, and the objects of an image
coco: COCO data sets: which images a list names, which classes, and their labels
voc: VOC folders: which images a list names, and the objects of an XML file
label_files: label files in any folder, in VOC XML, YOLO's text or COCO's JSON
yolo: YOLO data sets: what a data.yaml names, and the objects of a text file
folder: a folder of images, with labels beside them, elsewhere, or none
"""
