"""How fast the package is on a device, against torchvision, and what a run will cost.

choosing: how fast core-set chooses images, against the loop that one would write
loading: how fast training images are read from files, augmented and resized
steps: the steps that are measured: forward and backward of each stage, and the scores of images
cost: what a cycle costs: how many images go through the detector, times what the bench measured
measure: measuring a call: time beside another one's, operations, memory, and what the device can do
parts: where the time of a training step goes: data, backbone, towers, loss, backward, optimizer
peer: what the package is measured against: torchvision's RetinaNet, as it comes
table: what was measured, as lines for people and as JSON for programs
benchmark: the whole bench: the device's peak, the four steps, their parts, the loader
"""
