"""What each verb of the `miaod` command does, a file a verb.

curves: `miaod curves`: runs compared, as a figure and a table
essay: one HTML page of the executed notebooks, whole without a network
executing: executes the project's notebooks into a run folder and shows how far they are
copying: copies of the project's notebooks in a run folder, for people who work in them
info_data: what `miaod info` says of a data set, and of a work folder of the authors' code
info_run: what `miaod info` says of a run folder
info_checkpoint: what `miaod info` says of a weight file, ours or the authors'
info: `miaod info`: what a path holds, in lines for people
options: what several verbs are given
bench: `miaod bench`: how fast this machine is
convert: `miaod convert`: detectors and runs between our formats and those of the authors' code
doctor: `miaod doctor`: data and machine looked at before training
export: `miaod export`: the next batch for a label tool
grid: `miaod grid`: recipes, strategies and seeds as one experiment
history: `miaod history`: every image's story
import_: `miaod import`: labels that a label tool gives back
evaluate: `miaod evaluate`: a detector, or its predictions, measured on labeled images
lab: `miaod lab`: the notebooks by hand, in a browser
new: `miaod new`: a run on one's own images
notebooks: `miaod notebooks`: the whole experiment as an essay
predict: `miaod predict`: objects in images of no data set
rank: `miaod rank`: the next batch from any detector's boxes
report: `miaod report`: a page that shows others what came out
review: `miaod review`: what people decided about the images of a batch
run: `miaod run`: the whole experiment, without notebooks
"""
