"""How a detector learns: losses, stages, one loop.

losses: the losses of MI-AOD, one pure function an equation
stages: the three stages of a cycle: which parts train, and which loss terms count
averaging: a stage whose gradients are averaged over the processes that have a part of each batch
moving_average: the moving average of a detector's weights over the steps of a cycle
train: one training loop for every stage: optimizer, learning rate, steps
"""
