"""A look at data and machine before training: each known failure by name.

finding: what is found: how bad, how often, in which images, and what to do about it
examined: what is looked at: the images of a run or a data set, and the labels that are known
counted: what reading images and labels counts by reason, as findings with a remedy
looks: what tells an image from others: its pixels, and a hash that survives being saved anew
copies: images that are there twice, and test images that are trained on
alike: images of the newest batch that look alike to the detector
objects: labeled objects that anchors do not reach, or that are very thin
classes: classes with too few labels, and names that may mean one class
sizes: images whose size or shape stands out
needs: what a run will need of memory and disk, against what is free
machine: libraries, GPU, threads and instructions
checkup: all of it, the worst first
page: the findings as a page with pictures
lists: new lists without copies and leaks
"""
